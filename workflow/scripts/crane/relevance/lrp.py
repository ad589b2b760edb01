"""LRP rule sets from LXT (Achtibat et al. 2024; efficient form Arras et al. 2025) as context managers.

LXT 2.1 implements the rules by replacing methods of transformers' classes for the whole process. This module adds two
things: it restores everything that was replaced, and it imports LXT's modules without the `__init__` of its packages,
which fails under transformers 5 (it imports the BERT and torchvision maps, which this project does not use).
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers.modeling_utils import AttentionInterface

from crane.models.architectures import UnsupportedModelError, attention_cap

Rules = Literal["attnlrp", "cp_lrp", "input_x_gradient"]
RULES: tuple[Rules, ...] = ("attnlrp", "cp_lrp", "input_x_gradient")

# LXT's module of patches for each model type, and how its class names change for families without one: Mistral equals
# Llama, and all Gemmas have the gated MLP and the norm of Gemma 3.
_LXT_MODULE = {
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma": "gemma3",
    "gemma2": "gemma3",
    "gemma3_text": "gemma3",
    "gemma3": "gemma3",
    "gpt2": "gpt2",
}
_RENAMED = {"mistral": ("Llama", "Mistral"), "gemma": ("Gemma3", "Gemma"), "gemma2": ("Gemma3", "Gemma2")}


@cache
def _lxt(name: str) -> ModuleType:
    """Import `lxt.efficient.<name>` without running the `__init__` of its packages."""
    spec = find_spec("lxt")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("lxt is not installed; run `make install`")
    root = Path(next(iter(spec.submodule_search_locations)))
    packages = {"lxt.efficient": root / "efficient", "lxt.efficient.models": root / "efficient" / "models"}
    before = {package: sys.modules.get(package) for package in packages}
    try:
        for package, folder in packages.items():
            bare = ModuleType(package)
            bare.__path__ = [str(folder)]
            sys.modules[package] = bare
        return importlib.import_module(f"lxt.efficient.{name}")
    finally:
        for package, module in before.items():
            if module is None:
                del sys.modules[package]
            else:
                sys.modules[package] = module


def _patch_map(modeling: ModuleType, family: str, rules: Rules) -> dict[Any, Any]:
    """Return LXT's map {class: patch} of a family, without its attention entry."""
    attribute = {"attnlrp": "attnLRP", "cp_lrp": "cp_LRP"}[rules]
    full = getattr(_lxt(f"models.{_LXT_MODULE[family]}"), attribute)
    patches = {target: patch for target, patch in full.items() if not isinstance(target, ModuleType)}
    if family not in _RENAMED:
        return patches
    old, new = _RENAMED[family]
    return {
        getattr(modeling, target.__name__.replace(old, new))
        if target.__name__.startswith(old)
        else target: patch
        for target, patch in patches.items()
    }


def soft_cap(values: Tensor, cap: float, rules: Rules) -> Tensor:
    """Return c tanh(values / c), element by element, for a cap c; dtype and shape as `values`.

    Under LRP rules relevance passes it unchanged, as it passes every element-wise non-linearity (identity rule, eq. 9
    of Achtibat et al. 2024). Plain gradient x input would lose the share 1 - u tanh'(u) / tanh(u), u = value / c:
    almost everything near the cap, so that the most confident predictions would count least.
    """

    def capped(x: Tensor) -> Tensor:
        return torch.tanh(x / cap) * cap

    if rules == "input_x_gradient":
        return capped(values)
    return _lxt("rules").identity_rule_implicit(capped, values)


def _capped_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    softcap: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Eager attention with soft-capped scores, for LXT's wrapper; arguments and first result as in transformers.

    The scores are recomputed in the backward pass: storing them would take 3 T^2 numbers per head and layer.
    """

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        key, value = (x.repeat_interleave(module.num_key_value_groups, 1) for x in (key, value))
        scores = soft_cap(query @ key.transpose(2, 3) * scaling, softcap, "attnlrp")
        if attention_mask is not None:
            scores = scores + attention_mask
        weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
        return (weights @ value).transpose(1, 2).contiguous()

    return checkpoint(attend, query, key, value, use_reentrant=False), None


def _wrapped_attention(modeling: Any, rules: Rules, *, capped: bool) -> dict[str, Any]:
    """Return the modeling module's attention entries, each wrapped in LXT's rule.

    LXT itself replaces the registry by a plain dict, which lacks the `get_interface` of transformers 5, and has no rule
    for soft-capped scores (CP-LRP needs none: no relevance reaches them).
    """
    patches = _lxt("patches")
    wrap = {"attnlrp": patches.wrap_attention_forward, "cp_lrp": patches.cp_wrap_attention_forward}[rules]
    registry = AttentionInterface()
    for name, function in modeling.ALL_ATTENTION_FUNCTIONS.items():
        registry[name] = wrap(function)
    eager = _capped_attention if capped and rules == "attnlrp" else modeling.eager_attention_forward
    return {"ALL_ATTENTION_FUNCTIONS": registry, "eager_attention_forward": wrap(eager)}


@contextmanager
def lrp_rules(model: Any, rules: Rules) -> Iterator[None]:
    """Make gradient x activation of `model` follow a rule set within the context.

    The classes of the model's family are patched for the whole process and restored on exit, so no other model of that
    family may run in this process meanwhile.

    Raises:
        UnsupportedModelError: no rules are known for the family, or a class could not be patched.
        ValueError: unknown rule set.
    """
    if rules not in RULES:
        raise ValueError(f"unknown LRP rules {rules!r}; known: {', '.join(RULES)}")
    if rules == "input_x_gradient":
        yield
        return
    family = model.config.model_type
    if family not in _LXT_MODULE:
        raise UnsupportedModelError(f"LXT {version('lxt')} has no {rules} rules for model type {family!r}")
    modeling = sys.modules[type(model).__module__]
    patch_map = _patch_map(modeling, family, rules)
    attention = _wrapped_attention(modeling, rules, capped=attention_cap(model.config) is not None)
    methods = {target: patch.keywords.get("method_name", "forward") for target, patch in patch_map.items()}
    saved = [(target, name, target.__dict__[name]) for target, name in methods.items()]
    saved += [(modeling, name, getattr(modeling, name)) for name in attention]
    try:
        for target, patch in patch_map.items():
            if not patch(target):
                raise UnsupportedModelError(f"LXT could not patch {target.__name__} for {rules}")
        for name, replacement in attention.items():
            setattr(modeling, name, replacement)
        yield
    finally:
        for target, name, original in saved:
            setattr(target, name, original)
