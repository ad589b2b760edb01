"""LRP rule sets from LXT (Achtibat et al. 2024; efficient form Arras et al. 2025) as context managers.

LXT 2.1 implements the rules by replacing methods of transformers' classes for the whole process. Two things are
added here: everything that was replaced is put back, and LXT's modules are imported without its packages'
`__init__`, which fail under transformers 5 (they import the BERT and torchvision maps, which this project
does not use).
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from transformers.modeling_utils import AttentionInterface

from crane.architectures import UnsupportedModelError

Rules = Literal["attnlrp", "cp_lrp", "input_x_gradient"]
RULES: tuple[Rules, ...] = ("attnlrp", "cp_lrp", "input_x_gradient")

# Model families whose patch map LXT ships, and families whose classes are the same but for the name.
_LXT_FAMILIES = ("llama", "qwen2", "qwen3", "gpt2")
_LIKE_LLAMA = {"mistral": ("MistralMLP", "MistralRMSNorm")}


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


def _patch_map(modeling: ModuleType, family: str, rules: Rules) -> dict[Any, Callable[[Any], bool]]:
    """Return LXT's map {class or module: patch} of a family, without its attention entry."""
    attribute = {"attnlrp": "attnLRP", "cp_lrp": "cp_LRP"}[rules]
    if family in _LXT_FAMILIES:
        full = getattr(_lxt(f"models.{family}"), attribute)
        return {target: patch for target, patch in full.items() if target is not modeling}
    mlp, norm = (getattr(modeling, name) for name in _LIKE_LLAMA[family])
    llama = _lxt("models.llama")
    full = getattr(llama, attribute)
    return {mlp: full[llama.LlamaMLP], norm: full[llama.LlamaRMSNorm], llama.Dropout: full[llama.Dropout]}


def _wrapped_attention(modeling: Any, rules: Rules) -> dict[str, Any]:
    """Return the modeling module's attention entries with LXT's rule around each.

    LXT replaces the registry by a plain dict, which lacks the `get_interface` of transformers 5.
    """
    patches = _lxt("patches")
    wrap = {"attnlrp": patches.wrap_attention_forward, "cp_lrp": patches.cp_wrap_attention_forward}[rules]
    registry = AttentionInterface()
    for name, function in modeling.ALL_ATTENTION_FUNCTIONS.items():
        registry[name] = wrap(function)
    return {
        "ALL_ATTENTION_FUNCTIONS": registry,
        "eager_attention_forward": wrap(modeling.eager_attention_forward),
    }


@contextmanager
def lrp_rules(model: Any, rules: Rules) -> Iterator[None]:
    """Make gradient x activation of `model` follow a rule set while the context lasts.

    The classes of the model's family are patched for the whole process and restored afterwards, so other
    models of that family must not run at the same time in this process.

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
    if family not in (*_LXT_FAMILIES, *_LIKE_LLAMA):
        raise UnsupportedModelError(f"LXT {version('lxt')} has no {rules} rules for model type {family!r}")
    modeling = sys.modules[type(model).__module__]
    patch_map = _patch_map(modeling, family, rules)
    attention = _wrapped_attention(modeling, rules)
    saved = [(target, "forward", target.__dict__["forward"]) for target in patch_map]
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
