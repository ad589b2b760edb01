"""Settings in an order that does not depend on the file."""

from collections.abc import Mapping
from typing import Any


def key_sorted(value: Any) -> Any:
    """Sort the keys of mappings at any depth, so that the order of keys in a file reruns nothing."""
    if isinstance(value, Mapping):
        return {key: key_sorted(value[key]) for key in sorted(value)}
    return value
