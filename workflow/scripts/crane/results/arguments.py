"""From a rule to the function that it names: tables read, labels and settings handed over by name."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from crane.artefacts import read_json, read_jsonl, read_metadata, read_table
from crane.results.labels import Labels

FACTS = "_facts"
"""End of the name of an input of which the metadata are read, not the table."""
NOT_HANDED_OVER = ("function", "code", "settings")
"""Params that are not arguments: which function, the hash of its code, and a mapping of further arguments."""


def named(function: str) -> Callable[..., Any]:
    """Return a function by its dotted name, as in `crane.figures.drops.drop_heatmap`.

    The rule gives that module to `code_version`, so that an edit of it reruns the rule.
    """
    module, _, name = function.rpartition(".")
    return getattr(import_module(module), name)


def read(paths: Any) -> Any:
    """Read one file (.parquet, .csv, .json), several as a dict by the stem of their name, or records of JSONL files."""
    if isinstance(paths, str):
        if paths.endswith(".csv"):
            return pd.read_csv(paths, keep_default_na=False)
        if paths.endswith(".json"):
            return read_json(paths)
        return read_table(paths)
    if paths and all(path.endswith(".jsonl") for path in paths):
        return [record for path in paths for record in read_jsonl(path)]
    return {Path(path).stem: read(str(path)) for path in paths}


def read_facts(paths: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the metadata of Parquet files by the stem of their name."""
    return {Path(path).stem: read_metadata(path) for path in paths}


def arguments(
    function: Callable[..., Any],
    inputs: Mapping[str, Any],
    wildcards: Mapping[str, str],
    params: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the keyword arguments of a function that makes a table or a figure.

    Args:
        function: the function; of the wildcards it gets those that it has a parameter for.
        inputs: name -> path or paths, each read by `read`; by `read_facts` if the name ends in `_facts`.
        wildcards: of the job.
        params: of the rule; `labels` becomes `Labels`, `settings` further arguments. None is no argument: with it a
            rule that is made from another one takes back a param of that one.
    """
    accepted = inspect.signature(function).parameters
    handed = {
        name: value for name, value in params.items() if name not in NOT_HANDED_OVER and value is not None
    }
    if "labels" in handed:
        handed["labels"] = Labels(**handed["labels"])
    return {
        **{
            name: read_facts(paths) if name.endswith(FACTS) else read(paths) for name, paths in inputs.items()
        },
        **{name: value for name, value in wildcards.items() if name in accepted},
        **handed,
        **params.get("settings", {}),
    }
