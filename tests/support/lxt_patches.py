"""The rules as LXT itself applies them: its patches of transformers' classes, for the whole process.

LXT 2.1 needs help under transformers 5: the `__init__` of its packages fails (it imports the BERT and torchvision
maps), it replaces the attention registry by a plain dict, which lacks `get_interface`, and it has no maps for Mistral,
Gemma 1 and Gemma 2, nor a rule for soft-capped scores.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from crane.models.families import attention_cap
from crane.relevance.lrp import Rules, _soft_capped_attention
from transformers.modeling_utils import AttentionInterface

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
FAMILIES = tuple(_LXT_MODULE)
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


def _wrapped_attention(modeling: Any, rules: Rules, *, capped: bool) -> dict[str, Any]:
    """Return the modeling module's attention entries, each wrapped in LXT's rule.

    CP-LRP needs no rule for soft-capped scores: no relevance reaches them.
    """
    patches = _lxt("patches")
    wrap = {"attnlrp": patches.wrap_attention_forward, "cp_lrp": patches.cp_wrap_attention_forward}[rules]
    registry = AttentionInterface()
    for name, function in modeling.ALL_ATTENTION_FUNCTIONS.items():
        registry[name] = wrap(function)
    eager = _soft_capped_attention if capped and rules == "attnlrp" else modeling.eager_attention_forward
    return {"ALL_ATTENTION_FUNCTIONS": registry, "eager_attention_forward": wrap(eager)}


@contextmanager
def lxt_rules(model: Any, rules: Rules, router: str = "constant") -> Iterator[None]:
    """Patch the classes of a model's family by LXT's map, and restore them."""
    family = model.config.model_type
    modeling = sys.modules[type(model).__module__]
    patch_map = _patch_map(modeling, family, rules)
    attention = _wrapped_attention(modeling, rules, capped=attention_cap(model.config) is not None)
    methods = {target: patch.keywords.get("method_name", "forward") for target, patch in patch_map.items()}
    saved = [(target, name, target.__dict__[name]) for target, name in methods.items()]
    saved += [(modeling, name, getattr(modeling, name)) for name in attention]
    try:
        for target, patch in patch_map.items():
            assert patch(target), target
        for name, replacement in attention.items():
            setattr(modeling, name, replacement)
        yield
    finally:
        for target, name, original in saved:
            setattr(target, name, original)
