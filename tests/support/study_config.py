"""Configurations of studies: the presets, edits of them, and what the check says of them."""

import copy
from typing import Any

import pytest
import yaml
from crane.study.check import ConfigError, check
from snakemake.utils import update_config

from support.places import ROOT

REMOVE = object()
"""Deletes a key, as a value of `changed`."""
SHA = "0123456789abcdef" * 4
COMMIT = SHA[:40]
PINNED = {"repository": "a/b", "revision": COMMIT}
HUB_MODEL = {"label": "B", "source": "hub", "layers": 4, "intermediate_size": 256, **PINNED}
HUB_FILES = {code: f"20231101.{code}/*.parquet" for code in ("en", "zh", "vi")}
HUB_CORPUS = {"source": "hub", "column": "text", "documents": 100, "max_tokens": 8, "seed": 0, "shards": 1,
              "max_files": 2, "pool": 200, "files": HUB_FILES}  # fmt: skip
GPT = {
    "kind": "openai", "label": "GPT", "model": "gpt-4o-2024-08-06", "prompt": "crane", "output": "json_schema",
    "max_tokens": 300, "attempts": 3,
}  # fmt: skip


def preset(*names: str) -> dict[str, Any]:
    """Return a preset, the later files laid over the earlier ones as Snakemake does."""
    merged: dict[str, Any] = {}
    for name in names:
        with (ROOT / "config" / f"{name}.yaml").open(encoding="utf-8") as file:
            update_config(merged, yaml.safe_load(file))
    return merged


def whole_demo() -> dict[str, Any]:
    """Return the demo with its sweeps and models that it trains.

    It has no part of the questions, no steering and no comparison: these name mask sets, which tests replace.
    """
    trained = preset("demo-models")
    config = without_sample(preset("demo", "demo-evidence"))
    del config["steering"], config["comparison"]
    return {**config, "models": trained["models"], "demo": trained["demo"]}


def without_sample(config: dict[str, Any]) -> dict[str, Any]:
    """Return a study without the random sets that are measured on a part of the questions."""
    config = copy.deepcopy(config)
    for name in config["evaluation"].pop("sample")["mask_sets"]:
        del config["mask_sets"][name]
    return config


def changed(config: dict[str, Any], **edits: Any) -> dict[str, Any]:
    """Return a copy with edits; a key is a path with __ for each dot, REMOVE deletes it."""
    result = copy.deepcopy(config)
    for path, value in edits.items():
        *folders, last = path.split("__")
        at = result
        for key in folders:
            at = at[key]
        if value is REMOVE:
            del at[last]
        else:
            at[last] = copy.deepcopy(value)
    return result


def messages(config: Any) -> list[str]:
    """Return the lines of the error that the check of a wrong configuration raises."""
    with pytest.raises(ConfigError) as caught:
        check(config)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the configuration is wrong:"
    return lines[1:]
