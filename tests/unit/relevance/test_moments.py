"""Moments streamed and merged equal scipy on the whole matrix, also where naive sums lose all digits."""

from functools import reduce

import numpy as np
import pytest
import torch
from crane.relevance.moments import Moments
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats


def streamed(x: np.ndarray, cuts: list[int], picks: np.random.Generator | None = None) -> Moments:
    """Cut the rows of `x` into batches and merge them pairwise, from the left or in a random tree."""
    parts = [Moments.from_batch(torch.from_numpy(part)) for part in np.split(x, cuts) if len(part)]
    while len(parts) > 1:
        i, j = (0, 0) if picks is None else (picks.integers(len(parts)), picks.integers(len(parts) - 1))
        one = parts.pop(int(i))
        parts.insert(0, one.merge(parts.pop(int(j))))
    return parts[0]


def assert_equals_scipy(moments: Moments, x: np.ndarray, offset: float = 0.0, rtol: float = 1e-9) -> None:
    """Compare with scipy on `x`, whose mean was reduced by `offset` to spare scipy the cancellation."""
    assert moments.n == len(x)
    np.testing.assert_allclose(moments.mean, x.mean(0) + offset, rtol=rtol, atol=1e-12 * np.abs(x).max())
    np.testing.assert_allclose(moments.variance(), x.var(0), rtol=rtol)
    np.testing.assert_allclose(moments.kurtosis(), stats.kurtosis(x, fisher=False, bias=True), rtol=rtol)
    # A skewness near 0 is a difference of large sums: it is exact relative to 1, not to itself.
    np.testing.assert_allclose(moments.skewness(), stats.skew(x, bias=True), rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(moments.minimum, (x + offset).min(0))
    np.testing.assert_array_equal(moments.maximum, (x + offset).max(0))
    np.testing.assert_allclose(moments.mean_abs, np.abs(x + offset).mean(0), rtol=rtol)


@given(
    n=st.integers(4, 80),
    seed=st.integers(0, 2**32 - 1),
    pieces=st.integers(1, 12),
    scale=st.sampled_from([1e-30, 1e-8, 1.0, 1e12]),
    shift=st.sampled_from([0.0, 1.0, -100.0]),
)
@settings(max_examples=150, deadline=None)
def test_any_partition_in_any_order_equals_scipy(n, seed, pieces, scale, shift):
    rng = np.random.default_rng(seed)
    x = (rng.standard_t(3, (n, 3)) + shift) * scale
    cuts = sorted(rng.integers(0, n + 1, pieces - 1).tolist())
    assert_equals_scipy(streamed(x, cuts, rng), x)


def test_a_grid_of_layers_and_neurons_keeps_its_shape():
    x = np.random.default_rng(0).gamma(2.0, size=(50, 4, 5))
    moments = streamed(x, [7, 30])
    assert moments.kurtosis().shape == (4, 5)
    assert moments.kurtosis().dtype == torch.float64
    assert_equals_scipy(moments, x)


@pytest.mark.parametrize("batch", [1, 64, 2000])
def test_mean_a_million_times_the_deviation(batch):
    # A grid of 2^-20 keeps both x and x + 1e6 exact, so that scipy can work on the centred values.
    x = np.round(np.random.default_rng(1).standard_t(5, (2000, 4)) * 2**20) / 2**20
    assert x.std() > 0.5
    moments = streamed(x + 1e6, list(range(batch, 2000, batch)))
    assert_equals_scipy(moments, x, offset=1e6)


@pytest.mark.parametrize("batch", [1, 7, 512])
def test_one_outlier_in_five_thousand(batch):
    x = np.random.default_rng(2).normal(size=(5000, 3))
    x[3141, 1] = 1e6
    moments = streamed(x, list(range(batch, 5000, batch)))
    assert_equals_scipy(moments, x)
    assert 4990 < moments.kurtosis()[1] <= 5000
    assert moments.outlier_share()[1] > 0.99


def test_tiny_values_do_not_underflow():
    x = np.random.default_rng(3).normal(size=(300, 2)) * 1e-30
    assert_equals_scipy(streamed(x, [100, 101]), x)


@pytest.mark.parametrize("n", [10, 13, 49, 1000])  # the mean of n equal values may be off by one rounding
@pytest.mark.parametrize("value", [0.0, 0.1, -1e-30, 1e6 / 3])
def test_constant_neurons_have_no_shape(value, n):
    x = torch.full((n, 2), value, dtype=torch.float64)
    x[:, 1] = torch.arange(n)
    whole = Moments.from_batch(x)
    merged = reduce(Moments.merge, [Moments.from_batch(part) for size in (1, 7) for part in x.split(size)])
    for moments in (whole, merged, whole.merge(merged)):
        assert moments.defined().tolist() == [False, True]
        assert moments.variance()[0] == 0
        assert moments.kurtosis().isnan().tolist() == [True, False]
        assert moments.skewness().isnan().tolist() == [True, False]
        assert moments.outlier_share().isnan().tolist() == [True, False]


def test_two_constant_batches_of_different_value_are_defined():
    moments = Moments.from_batch(torch.zeros(3, 1)).merge(Moments.from_batch(torch.ones(3, 1)))
    assert moments.defined().all()
    assert moments.kurtosis().item() == pytest.approx(1.0, rel=1e-12)


@given(seed=st.integers(0, 2**32 - 1), sizes=st.tuples(*[st.integers(1, 40)] * 3))
@settings(max_examples=50, deadline=None)
def test_merging_is_associative_and_commutative(seed, sizes):
    rng = np.random.default_rng(seed)
    a, b, c = (Moments.from_batch(torch.from_numpy(rng.gamma(1.0, size=(n, 4)) + 1)) for n in sizes)
    left, right, swapped = a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(b).merge(a)
    for other in (right, swapped):
        assert left.n == other.n
        for name in Moments._fields[1:]:
            scale = getattr(left, name).abs().clamp(min=1e-6)
            assert ((getattr(left, name) - getattr(other, name)).abs() / scale).max() < 1e-9, name


def test_float32_batches_are_summed_in_float64():
    x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) + 1000
    assert_equals_scipy(Moments.from_batch(x), x.double().numpy() - 1000, offset=1000)


def test_outlier_share_bounds_the_share_of_every_sample():
    x = np.random.default_rng(4).standard_t(2, (200, 50))
    fourth = (x - x.mean(0)) ** 4
    true = fourth.max(0) / fourth.sum(0)
    bound = streamed(x, [3, 50, 51]).outlier_share().numpy()
    assert (bound >= true * (1 - 1e-12)).all()
    np.testing.assert_allclose(bound, true, rtol=1e-9)


def test_empty_batches_and_bad_values_are_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        Moments.from_batch(torch.zeros(0, 3))
    for bad in (torch.nan, torch.inf, -torch.inf):
        x = torch.zeros(4, 3)
        x[2, 1] = bad
        with pytest.raises(ValueError, match="1 of 12 values"):
            Moments.from_batch(x)
    with pytest.raises(ValueError, match="cannot merge"):
        Moments.from_batch(torch.zeros(2, 3)).merge(Moments.from_batch(torch.zeros(2, 4)))
