"""LRP rules as functions whose backward pass is not the derivative of their forward pass.

With modified gradients, relevance is value x gradient at every tensor (efficient form of Arras et al. 2025). No rule
changes a value. The rules of LXT are used as they are; the two written here need less memory, and the one for gated
MLPs does not divide by the gate.
"""

import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import activations

from crane.models.architectures import Norm


@cache
def _lxt() -> ModuleType:
    """Return LXT's module of rules by its file: the packages around it need other versions of transformers."""
    lxt = find_spec("lxt")
    if lxt is None or lxt.submodule_search_locations is None:
        raise ModuleNotFoundError("lxt is not installed; run `make install`")
    file = Path(next(iter(lxt.submodule_search_locations))) / "efficient" / "rules.py"
    spec = spec_from_file_location("lxt.efficient.rules", file)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def identity(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Return `function(values)`, element by element; relevance passes unchanged (eq. 9 of Achtibat et al. 2024).

    LXT 2.1, `identity_rule_implicit`: the gradient is output / (input + 1e-10).
    """
    return _lxt().identity_rule_implicit(function, values)


def uniform(values: Tensor, parts: int | Tensor) -> Tensor:
    """Return `values`; their gradient is divided by `parts` (uniform rule, eq. 7 of Achtibat et al. 2024).

    LXT 2.1, `divide_gradient`.

    Args:
        values: floating point, any shape.
        parts: into how many parts the relevance is shared; a tensor is broadcast against `values`.
    """
    return _lxt().divide_gradient(values, parts)


def stop(values: Tensor) -> Tensor:
    """Return `values` without relevance: constants of CP-LRP (Ali et al. 2022). LXT 2.1, `stop_gradient`."""
    return _lxt().stop_gradient(values)


# Normalisation ----------------------------------------------------------------------------------------


class _FrozenScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, original: Callable[[Tensor], Tensor], norm: Norm) -> Tensor:
        if ctx.needs_input_grad[0]:
            # Each of these is one pass: the cast to float32 happens within it.
            dtype = torch.promote_types(x.dtype, torch.float32)
            centred = x - x.mean(-1, keepdim=True, dtype=dtype) if norm.kind == "layer" else x
            length = torch.linalg.vector_norm(centred, dim=-1, keepdim=True, dtype=dtype)
            scale = torch.rsqrt(length.square() / x.shape[-1] + norm.epsilon)
            ctx.save_for_backward(scale, norm.factor())
            ctx.kind = norm.kind
        return original(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        scale, factor = ctx.saved_tensors
        weighted = gradient * factor.to(scale.dtype)
        if ctx.kind == "layer":
            given = weighted.mul_(scale)
            return (given - given.mean(-1, keepdim=True)).to(gradient.dtype), None, None
        return torch.mul(weighted, scale, out=torch.empty_like(gradient)), None, None


def frozen_scale(x: Tensor, original: Callable[[Tensor], Tensor], norm: Norm) -> Tensor:
    """Return `original(x)`, a normalisation; for relevance its scale 1 / sigma is a constant.

    So the norm is linear, and relevance passes it as the identity rule demands (Achtibat et al. 2024, section 3.3.2;
    LXT 2.1 `rms_norm_forward`, `layer_norm_forward`). A bias keeps the share bias x gradient. One number per position
    is kept for the backward pass.

    Args:
        x: `[..., H]`.
        original: the norm's forward pass.
        norm: which norm it is.
    """
    return _FrozenScale.apply(x, original, norm)


# Gated MLP --------------------------------------------------------------------------------------------


def _tanh_gelu(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3))))


def _erf_gelu(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


_QUOTIENTS: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.SiLU: torch.sigmoid,
    activations.SiLUActivation: torch.sigmoid,
    activations.GELUTanh: _tanh_gelu,
    activations.NewGELUActivation: _tanh_gelu,
    activations.FastGELUActivation: _tanh_gelu,
    activations.GELUActivation: _erf_gelu,
    nn.ReLU: lambda x: (x > 0).to(x.dtype),
}
"""activation(x) / x in closed form, finite everywhere, in a tensor of its own."""


class _GatedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor, activation: nn.Module) -> Tensor:
        ctx.save_for_backward(gate, up)
        ctx.quotient = _QUOTIENTS[type(activation)]
        return activation(gate) * up

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        gate, up = ctx.saved_tensors
        # 0 + 1/2 * quotient * gradient: the product and its half in one pass.
        half = torch.addcmul(gate.new_zeros(()), ctx.quotient(gate), gradient, value=0.5)
        return half * up, half.mul_(gate), None


def gated_product(gate: Tensor, up: Tensor, activation: nn.Module) -> Tensor:
    """Return activation(gate) * up; gate and up receive half of the product's relevance each.

    The uniform rule for the product (eq. 7 of Achtibat et al. 2024) and the identity rule for the activation (eq. 9) as
    one: with q(g) = activation(g) / g, which is sigmoid(g) for SiLU, the gradient of gate is q(gate) up / 2 and that of
    up q(gate) gate / 2. LXT computes q as activation(g) / (g + 1e-10), which is wrong near 0 and infinite at -1e-10.

    Args:
        gate: `[..., I]`, before the activation.
        up: `[..., I]`.
        activation: the MLP's; for one whose quotient is not known, LXT's rules are applied one after the other.
    """
    if type(activation) in _QUOTIENTS:
        return _GatedProduct.apply(gate, up, activation)
    return uniform(identity(activation, gate) * up, 2)


class _ClampedProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        gate: Tensor,
        up: Tensor,
        product: Callable[[], Tensor],
        clamps: "Clamps",
        parts: tuple[float, float],
    ) -> Tensor:
        ctx.save_for_backward(gate, up)
        ctx.clamps, ctx.parts = clamps, parts
        return product()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        gate, up = ctx.saved_tensors
        clamps, (gate_part, up_part) = ctx.clamps, ctx.parts
        quotient = clamps.glu_quotient(gate)
        at_gate = gradient * gate_part * (up.clamp(-clamps.limit, clamps.limit) + 1) * quotient
        return at_gate, gradient * up_part * (quotient * gate) * clamps.up_quotient(up), None, None, None


class Clamps(NamedTuple):
    """The bounds of gpt-oss, whose neuron is (up' + 1) * g' sigmoid(alpha g') with up' and g' clamped."""

    limit: float
    """Of the gate from above, and of up from both sides."""
    alpha: float

    def glu_quotient(self, gate: Tensor) -> Tensor:
        """Return g' sigmoid(alpha g') / gate, by which the identity rule multiplies a gradient."""
        low = gate.clamp(max=self.limit)
        return torch.sigmoid(low * self.alpha) * torch.where(gate > self.limit, self.limit / gate, 1.0)

    def up_quotient(self, up: Tensor) -> Tensor:
        """Return up' / up, 1 within the bounds."""
        return torch.where(up.abs() > self.limit, self.limit / up.abs(), 1.0)


def clamped_product(
    gate: Tensor, up: Tensor, product: Callable[[], Tensor], clamps: Clamps, *, constant_gate: bool = False
) -> Tensor:
    """Return the neurons of gpt-oss, which `product` computes.

    The identity rule for clamps and activation (eq. 9 of Achtibat et al. 2024), the uniform rule for the product
    (eq. 7). The 1 is a bias, whose share of the relevance is the gradient of up', so up receives the rest of its half.

    Args:
        gate: `[..., I]`, before clamp and activation.
        up: `[..., I]`, before the clamp.
        product: returns `[..., I]`.
        clamps: the bounds.
        constant_gate: the gate is a constant (CP-LRP), so that up receives everything.
    """
    return _ClampedProduct.apply(gate, up, product, clamps, (0.0, 1.0) if constant_gate else (0.5, 0.5))
