"""Rules on module instances, until they are undone."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn


def replace(undo: ExitStack, module: nn.Module, name: str, value: Any) -> None:
    """Give a module an attribute of its own, until `undo` is closed."""
    if name in vars(module):
        undo.callback(setattr, module, name, vars(module)[name])
    else:
        undo.callback(delattr, module, name)
    setattr(module, name, value)


def change_output(undo: ExitStack, module: nn.Module, rule: Callable[[Tensor], Tensor]) -> None:
    """Apply a rule to a module's output, until `undo` is closed."""
    handle = module.register_forward_hook(lambda _, inputs, output: rule(output))
    undo.callback(handle.remove)
