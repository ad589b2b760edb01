"""A small study whose measurements are drawn at random, published for real: no model is trained or asked."""

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from crane.artefacts import write_json, write_table
from crane.null_distribution import COLUMNS, against_random
from crane.scores import summarise
from crane.significance import over_masks
from crane.stability import overlap
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

from workspace import ROOT, Workspace, plain

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LANGUAGES, LAYERS, WIDTH = ["en", "vi"], 4, 256
MADE_HERE = ("tables", "figures", "provenance.json", "provenance.html", "CITATION.bib")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the browser's path; skip where there is none or nothing drives it."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: make test-report")
    if CHROMIUM is None:
        pytest.skip("no chromium: make test-report installs it where apt and root rights are")
    return CHROMIUM


def _config() -> dict[str, Any]:
    demo = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
    config = {**plain(demo), "published": demo["published"]}
    config.update(study="drawn", transfer_models=[])
    config["languages"] = {code: config["languages"][code] for code in LANGUAGES}
    config["mask_sets"] = {name: config["mask_sets"][name] for name in ("crane", "random")}
    config["mask_sets"]["random"]["seeds"] = 2
    config["benchmarks"] = {f"quiz_{code}": config["benchmarks"][f"quiz_{code}"] for code in LANGUAGES}
    config["suites"] = {"quiz": list(config["benchmarks"])}
    config["open_questions"]["suffix"] = dict.fromkeys(LANGUAGES, "")
    config["published"].update(models={"base": "llama2-7b-base"}, mask_sets={"crane": "crane"})
    config["published"]["benchmarks"] = {"quiz_en": "mmlu", "quiz_vi": "belebele_vi"}
    config["figures"]["dpi"] = 72
    return config


def _masks(results: Path) -> dict[str, Any]:
    from crane.mask_files import write_mask_set
    from crane.neurons import NeuronSet
    from crane.select import random_like

    flags = np.random.default_rng(0).random((len(LANGUAGES), LAYERS, WIDTH)) < 0.1
    masks = {"crane": NeuronSet.from_flags(flags, LANGUAGES)}
    masks |= {f"random-{seed}": random_like(masks["crane"], WIDTH, seed) for seed in (0, 1)}
    for name, neurons in masks.items():
        folder = results / "masks" / "base"
        write_mask_set(neurons, folder / f"{name}.parquet", folder / f"{name}.json", {"rule": "drawn"})
    return masks


def _answers(masks: dict[str, Any], benchmarks: dict[str, Any]) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    conditions = [("original", "none"), *((name, code) for name in masks for code in LANGUAGES)]
    frames = []
    for name, about in benchmarks.items():
        exam = about["kind"] == "nlu"
        for mask_set, code in conditions:
            value = rng.integers(0, 2, 40) if exam else rng.integers(1, 11, 40)
            frames.append(
                pd.DataFrame(
                    {
                        "model": "base", "mask_set": mask_set, "mask_language": code, "benchmark": name, "task": name,
                        "doc_id": range(40), "doc_hash": [f"{name}{i}" for i in range(40)], "stratum": "",
                        "cluster": [str(i) for i in range(40)], "value": value.astype(float),
                        "probability": rng.random(40) if exam else np.nan,
                    }
                )
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _measure(workspace: Workspace, benchmarks: dict[str, Any]) -> None:
    """Write the frames that tables and figures read."""
    results = workspace.results
    masks = _masks(results)
    groups = {name: name.partition("-")[0] for name in masks}
    scores, f1 = summarise(_answers(masks, benchmarks), benchmarks, resamples=100, reference="crane")
    for frame in (scores, f1):
        frame["label"] = frame["mask_set"].str.partition("-")[0]
        frame["method"] = frame["label"]
    scores["p_holm"] = over_masks(scores)
    f1["neurons"] = 100
    counts = {name: {code: set_.counts().loc[code].tolist() for code in set_} for name, set_ in masks.items()}
    f1[COLUMNS] = against_random(f1, counts)
    stability = pd.DataFrame(
        [
            {"mask_set": name, "label": groups[name], "mask_language": code, "neurons": 100, "outliers": 7,
             "outlier_share": 0.07, "outlier_share_all": 0.1, "neurons_even": 100.0, "neurons_odd": 100.0,
             "split_half": 0.4 if name == "crane" else np.nan, "by_chance": 0.05, "reason": None}
            for name in masks for code in LANGUAGES
        ]
    )  # fmt: skip
    frames = {"scores": scores, "langspec_f1": f1, "stability": stability,
              "overlap": overlap(masks, groups, WIDTH)}  # fmt: skip
    for name, frame in frames.items():
        write_table(frame, results / f"{name}.parquet", {"rule": "drawn", "versions": {"drawn": "1"}})


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Path:
    """Return the report of the small study; its tables and figures lie beside it."""
    from crane.study import Study

    config = _config()
    workspace = Workspace(tmp_path_factory.mktemp("drawn"), config)
    measured = []
    for name in workspace.outputs():
        path = workspace.folder / name
        if path.relative_to(workspace.results).parts[0] in MADE_HERE:
            continue
        measured.append(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.name == "models":
            path.mkdir(exist_ok=True)
            write_json({"sha256": "0" * 64}, path / "manifest.json")
        elif path.suffix == ".parquet":
            write_table(pd.DataFrame({"drawn": [0]}), path, {"rule": "drawn"})
        elif path.suffix == ".safetensors":
            save_file({"drawn": np.zeros(1)}, path)
        else:
            path.touch()
    _measure(workspace, Study(config).benchmarks)
    workspace.run(*measured, "--touch")
    workspace.run()
    target = workspace.results / "report.html"
    workspace.run("--report", str(target.relative_to(workspace.folder)))
    return target
