"""Central moments of each neuron's distribution, computed in one pass and merged exactly.

The statistics form a monoid: batches, shards and machines can be merged in any order. Formulas: Pebay 2008 (Sandia
report SAND2008-6212, section 2) and Chan, Golub & LeVeque 1983, for arbitrary sets A and B. All values are float64;
naive power sums lose all digits when the mean is a million times the standard deviation.
"""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Moments(NamedTuple):
    """Statistics of `n` samples for a grid `[...]` of neurons; every tensor is float64 `[...]`."""

    n: int | Tensor
    """A tensor, if the neurons have different samples: those of experts have the samples routed to them."""
    mean: Tensor
    m2: Tensor
    """Sum of squared deviations from the mean."""
    m3: Tensor
    m4: Tensor
    mean_abs: Tensor
    """Mean of the absolute value."""
    minimum: Tensor
    maximum: Tensor

    @classmethod
    def from_batch(cls, x: Tensor) -> Self:
        """Return the statistics of `x` `[B, ...]` over its first axis.

        Raises:
            ValueError: the batch is empty or holds NaN or infinity.
        """
        if x.ndim < 1 or x.shape[0] == 0:
            raise ValueError(f"moments need at least one sample, the batch has shape {tuple(x.shape)}")
        if not torch.isfinite(x).all():
            raise ValueError(f"{int((~torch.isfinite(x)).sum())} of {x.numel()} values are NaN or infinite")
        x = x.to(torch.float64)
        mean = x.mean(0)
        deviation = x - mean
        square = deviation * deviation
        return cls(
            n=x.shape[0],
            mean=mean,
            m2=square.sum(0),
            m3=(square * deviation).sum(0),
            m4=(square * square).sum(0),
            mean_abs=x.abs().mean(0),
            minimum=x.amin(0),
            maximum=x.amax(0),
        )

    @classmethod
    def from_routed(cls, x: Tensor, routed: Tensor) -> Self:
        """Return the statistics of `x` `[B, ...]` over those samples of its first axis that count for a neuron.

        A neuron without samples has n = 0, and merges as nothing.

        Args:
            x: finite.
            routed: bool `[B, ...]`.
        """
        x, n = x.to(torch.float64), routed.sum(0).to(torch.float64)
        own = torch.where(routed, x, 0.0)
        mean = own.sum(0) / n.clamp(min=1)
        deviation = torch.where(routed, x - mean, 0.0)
        square = deviation * deviation
        return cls(
            n=n,
            mean=mean,
            m2=square.sum(0),
            m3=(square * deviation).sum(0),
            m4=(square * square).sum(0),
            mean_abs=own.abs().sum(0) / n.clamp(min=1),
            minimum=torch.where(routed, x, torch.inf).amin(0),
            maximum=torch.where(routed, x, -torch.inf).amax(0),
        )

    def with_zeros(self, total: int) -> Self:
        """Return the statistics of `total` samples, in those of which that are not in these the value is 0."""
        zero = torch.zeros_like(self.mean)
        others = total - (self.n + zero)
        least, most = (torch.where(others > 0, 0.0, beyond) for beyond in (torch.inf, -torch.inf))
        zeros = type(self)(others, zero, zero, zero, zero, zero, minimum=least, maximum=most)
        return self.merge(zeros)._replace(n=total)

    def merge(self, other: Self) -> Self:
        """Return the statistics of both sets of samples together (associative; commutative to rounding)."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                f"cannot merge moments of {tuple(self.mean.shape)} and {tuple(other.mean.shape)} neurons"
            )
        a, b = self.n, other.n
        n = a + b
        if isinstance(n, Tensor):
            return self._replace(n=n)._merged(other, a, b, n.clamp(min=1))
        return self._replace(n=n)._merged(other, a, b, n)

    def _merged(self, other: Self, a: float | Tensor, b: float | Tensor, n: float | Tensor) -> Self:
        delta = other.mean - self.mean
        return type(self)(
            n=self.n,
            mean=self.mean + delta * (b / n),
            m2=self.m2 + other.m2 + delta**2 * (a * b / n),
            m3=self.m3
            + other.m3
            + delta**3 * (a * b * (a - b) / n**2)
            + 3 * delta * ((a / n) * other.m2 - (b / n) * self.m2),
            m4=self.m4
            + other.m4
            + delta**4 * (a * b * (a * a - a * b + b * b) / n**3)
            + 6 * delta**2 * ((a / n) ** 2 * other.m2 + (b / n) ** 2 * self.m2)
            + 4 * delta * ((a / n) * other.m3 - (b / n) * self.m3),
            mean_abs=self.mean_abs + (other.mean_abs - self.mean_abs) * (b / n),
            minimum=torch.minimum(self.minimum, other.minimum),
            maximum=torch.maximum(self.maximum, other.maximum),
        )

    def defined(self) -> Tensor:
        """Return bool `[...]`: whether the samples differ, so that skewness and kurtosis are defined.

        A constant neuron is recognised by minimum == maximum: after merging, rounding may leave a tiny m2.
        """
        return (self.minimum < self.maximum) & (self.m2 > 0)

    def variance(self) -> Tensor:
        """Return the population variance; 0 for a constant neuron."""
        return torch.where(self.minimum < self.maximum, self.m2 / self.n, 0.0)

    def skewness(self) -> Tensor:
        """Return the population skewness, NaN where the variance is 0."""
        ratio = self.m3 / self.m2 / self.m2.sqrt() * self.n**0.5
        return torch.where(self.defined(), ratio, torch.nan)

    def kurtosis(self) -> Tensor:
        """Return the population kurtosis m4/m2^2, not excess (Eq. 2); NaN where the variance is 0.

        Its range is 1 to n.
        """
        ratio = self.m4 / self.m2 / self.m2 * self.n
        return torch.where(self.defined(), ratio, torch.nan)

    def outlier_share(self) -> Tensor:
        """Return an upper bound of the share of m4 due to a single sample, NaN where the variance is 0."""
        deviation = torch.maximum(self.maximum - self.mean, self.mean - self.minimum)
        return torch.where(self.defined(), deviation**4 / self.m4, torch.nan)
