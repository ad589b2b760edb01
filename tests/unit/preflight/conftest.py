"""A study of local files, and the paper's."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

CHOICE = {"question": "2 + 2?", "choices": ["3", "4", "5", "6"], "answer": 1, "relation": "sum"}
OPEN = {"question": "2 + 2?", "reference": "4"}


@pytest.fixture
def local(tmp_path: Path, model_folder: Path, demo_config: dict[str, Any]) -> dict[str, Any]:
    """A study of local files, all there."""
    config = copy.deepcopy(demo_config)
    for name in config["models"]:
        config["models"][name] = {
            "label": name, "source": "local", "path": str(model_folder), "layers": 3, "intermediate_size": 48,
            "parameters": 1e5,
        }  # fmt: skip
    del config["demo"]
    config["mask_sets"] = {
        name: {**s, "budget": {"count": 5}} if "budget" in s else s for name, s in config["mask_sets"].items()
    }
    for language in config["languages"]:
        (tmp_path / f"{language}.txt").write_text("text\n", encoding="utf-8")
        (tmp_path / f"{language}.jsonl").write_text(json.dumps(CHOICE) + "\n", encoding="utf-8")
        (tmp_path / f"open-{language}.jsonl").write_text(json.dumps(OPEN) + "\n", encoding="utf-8")
    files = {language: str(tmp_path / f"{language}.txt") for language in config["languages"]}
    config["perplexity"]["max_tokens"] = 96  # the positions of the model
    config["corpora"] |= {"source": "local", "files": files, "column": "text"}
    questions = {language: str(tmp_path / f"open-{language}.jsonl") for language in config["languages"]}
    config["open_questions"] |= {"source": "local", "files": questions}
    for benchmark in config["benchmarks"].values():
        benchmark["data"] = str(tmp_path / f"{benchmark['language']}.jsonl")
    return config


@pytest.fixture
def paper(paper_config: dict[str, Any]) -> dict[str, Any]:
    """The paper's study, whose models, data sets and corpora are the hub's."""
    return copy.deepcopy(paper_config)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in a folder where nothing has been made yet."""
    monkeypatch.chdir(tmp_path)
