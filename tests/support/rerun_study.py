"""The study whose reruns are planned: on local files, so that nothing is generated or trained."""

import copy
from typing import Any

from support.workspace import Workspace

LAYERS, SHARDS = 2, 3  # as many shards as languages after one is added


def study(demo: dict[str, Any]) -> dict[str, Any]:
    """A study on local files, like the paper's: nothing is generated or trained."""
    config = copy.deepcopy(demo)
    # test_sweep_reruns.py has these
    for section in ("demo", "perplexity", "published"):
        del config[section]
    config["study"] = "reruns"
    for name, model in config["models"].items():
        model.update(source="local", path=f"inputs/{name}", layers=LAYERS)
    config["evaluation"]["sets_per_job"] = 2
    config["relevance"]["shards_per_job"] = 1
    config["languages"] = {code: {"name": code} for code in ("en", "vi")}
    config["corpora"] = {
        "source": "local", "column": "text", "documents": 100, "max_tokens": 64, "seed": 0, "shards": SHARDS,
        "files": {code: f"inputs/{code}.txt" for code in ("en", "vi")},
    }  # fmt: skip
    sets = config["mask_sets"]
    config["mask_sets"] = {
        "crane": sets["crane"],
        "threshold": sets["crane_threshold"],
        "lape": sets["lape"],
        "random": {**sets["random"], "seeds": 2},
    }
    config["benchmarks"] = {
        f"quiz_{code}": {
            **demo["benchmarks"]["quiz_en"],
            "language": code,
            "data": f"inputs/quiz_{code}.jsonl",
        }
        for code in ("en", "vi")
    }
    config["suites"] = {"quiz": ["quiz_en", "quiz_vi"]}
    config["open_questions"].update(
        source="local",
        suffix={"en": "", "vi": ""},
        files={c: f"inputs/questions_{c}.jsonl" for c in ("en", "vi")},
    )
    llm = {
        "model": "judge-1", "base_url": "http://127.0.0.1:9/v1", "prompt": "crane", "output": "json_schema",
        "max_tokens": 300, "attempts": 3, "temperature": 0, "key_variable": "JUDGE_KEY",
    }  # fmt: skip
    config["judges"]["gpt"] = {"kind": "openai", "label": "GPT", **llm}
    batch = {"kind": "openai_batch", "label": "Batch", **llm, "prompt": "mtbench", "output": "text"}
    config["judges"]["batch"] = batch
    return config


def pretend_finished(workspace: Workspace) -> None:
    """Let the study have been run, as far as Snakemake knows."""
    inputs = workspace.folder / "inputs"
    inputs.mkdir()
    for name in ("questions_en", "questions_vi", "questions_fr", "quiz_en", "quiz_vi"):
        (inputs / f"{name}.jsonl").touch()
    workspace.pretend_finished()
