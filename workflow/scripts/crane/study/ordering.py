"""Settings in an order that no edit of a file changes."""

from collections.abc import Mapping
from typing import Any


def key_sorted(value: Any) -> Any:
    """Sort the keys of mappings at any depth: the order in which a file is written changes no result."""
    if isinstance(value, Mapping):
        return {key: key_sorted(value[key]) for key in sorted(value)}
    return value
