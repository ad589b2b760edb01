"""A small study whose measurements are drawn at random, published for real: no model is trained or asked."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from crane.artefacts import write_json, write_jsonl, write_table
from crane.neurons.neuron_set import NeuronSet
from crane.scores import perplexity
from crane.scores.null_distribution import COLUMNS, against_random
from crane.scores.significance import over_masks
from crane.scores.summary import summarise
from crane.scores.sweeps import score_sweep
from crane.selection.random_like import random_like
from crane.selection.stability import overlap
from crane.selection.summary import write_mask_set
from crane.study.study import Study
from safetensors.numpy import save_file
from support.places import ROOT
from support.workspace import Workspace, plain

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
    """The demo's study in two languages: every kind of mask set, table and figure once."""
    demo = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
    config = {**plain(demo), "published": demo["published"], "study": "drawn"}
    config["languages"] = {code: config["languages"][code] for code in LANGUAGES}
    config["mask_sets"] = {name: config["mask_sets"][name] for name in ("crane", "crane_threshold", "random")}
    config["mask_sets"]["random"]["seeds"] = 2
    config["benchmarks"] = {f"quiz_{code}": config["benchmarks"][f"quiz_{code}"] for code in LANGUAGES}
    config["suites"] = {"quiz": list(config["benchmarks"])}
    config["open_questions"]["suffix"] = dict.fromkeys(LANGUAGES, "")
    config["published"].update(mask_sets={"crane": "crane"})
    config["published"]["benchmarks"] = {"quiz_en": "mmlu", "quiz_vi": "belebele_vi"}
    config["judges"]["second"] = {**config["judges"]["reference"], "word_order": 2, "label": "second judge"}
    swept = {"suite": "quiz", "mask_sets": ["crane"]}
    config["sweeps"] = {
        "budget": {**swept, "mask_sets": ["crane", "random"], "fractions": [0.1, 0.2], "seeds": 2},
        "threshold": {"suite": "quiz", "mask_set": "crane_threshold", "thresholds": [2]},
        "ablation": {**swept, "fraction": 0.1, "statistics": ["std"], "rules": ["contrast"]},
        "intervention": {**swept, "scales": [0, 0.5], "mean": True},
    }
    config["perplexity"] = {**demo["perplexity"], "mask_sets": ["crane", "random"]}
    config["figures"]["dpi"] = 72
    return config


def _masks(results: Path, study: Study) -> dict[str, NeuronSet]:
    flags = np.random.default_rng(0).random((len(LANGUAGES), LAYERS, WIDTH)) < 0.1
    crane = NeuronSet.from_flags(flags, LANGUAGES)
    masks = {name: random_like(crane, WIDTH, seed) for seed, name in enumerate(study.mask_sets)}
    for name, neurons in masks.items():
        folder = results / "masks" / "base"
        write_mask_set(neurons, folder / f"{name}.parquet", folder / f"{name}.json", {"rule": "drawn"})
    return masks


def _answers(model: str, mask_sets: list[str], benchmarks: dict[str, Any]) -> pd.DataFrame:
    rng = np.random.default_rng([*model.encode()])
    conditions = [("original", "none"), *((name, code) for name in mask_sets for code in LANGUAGES)]
    frames = []
    for name, about in benchmarks.items():
        exam = about["kind"] == "nlu"
        for mask_set, code in conditions:
            value = rng.integers(0, 2, 40) if exam else rng.integers(1, 11, 40)
            frames.append(
                pd.DataFrame(
                    {
                        "model": model, "mask_set": mask_set, "mask_language": code, "benchmark": name, "task": name,
                        "doc_id": range(40), "doc_hash": [f"{name}{i}" for i in range(40)], "stratum": "",
                        "cluster": [f"{name}/{i}" for i in range(40)], "value": value.astype(float),
                        "probability": rng.random(40) if exam else np.nan,
                    }
                )
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _judged(workspace: Workspace) -> None:
    """Judgements of both judges, which their agreement is counted from."""
    rng = np.random.default_rng(2)
    for path in map(workspace.folder.joinpath, workspace.outputs()):
        if "judgements" not in path.parts:
            continue
        judge, model, mask_set = path.relative_to(workspace.results / "judgements").parts[:3]
        codes = ["none"] if mask_set == "original" else LANGUAGES
        records = [
            {"judge": judge, "model": model, "mask_set": mask_set, "mask_language": code, "language": path.stem,
             "question_id": question, "question": f"{path.stem} {question}", "score": int(rng.integers(1, 11)),
             "answer_language": path.stem, "replies": [], "reason": None}
            for code in codes for question in range(40)
        ]  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(records, path)


def _perplexity() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    conditions = [("original", "none"), *(("crane", code) for code in LANGUAGES)]
    conditions += [(f"random-{seed}", code) for seed in (0, 1) for code in LANGUAGES]
    documents = pd.DataFrame(
        [
            {"model": "base", "mask_set": mask_set, "mask_language": code, "language": language,
             "sample_id": number, "text_sha256": str(number), "tokens": 20, "log_likelihood": -rng.uniform(40, 60)}
            for mask_set, code in conditions for language in LANGUAGES for number in range(30)
        ]
    )  # fmt: skip
    table = perplexity.summarise(documents, resamples=100)
    table["label"] = table["mask_set"].str.partition("-")[0]
    return table.assign(method=table["label"])


def _kurtosis(layer: int) -> pd.DataFrame:
    rng = np.random.default_rng([4, layer])
    return pd.DataFrame(
        [
            {"language": code, "layer": layer, "site": "intermediate", "neuron": neuron, "z": rng.normal()}
            for code in LANGUAGES for neuron in range(WIDTH)
        ]
    )  # fmt: skip


def _measure(workspace: Workspace) -> None:
    """Write the frames that tables and figures read."""
    results, study = workspace.results, Study(workspace.config)
    masks = _masks(results, study)
    groups = {name: settings["group"] for name, settings in study.mask_sets.items()}
    answers = [_answers(model, list(masks), study.benchmarks) for model in study.evaluated_models]
    scores, f1 = summarise(pd.concat(answers), study.benchmarks, resamples=100, reference="crane")
    for frame in (scores, f1):
        frame["label"] = frame["mask_set"].map({**groups, "original": "original"})
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
    frames = {"scores": scores, "langspec_f1": f1, "stability": stability, "overlap": overlap(masks, groups, WIDTH),
              "perplexity": _perplexity()}  # fmt: skip
    frames |= {f"kurtosis/base/layer-{layer}": _kurtosis(layer) for layer in range(LAYERS)}
    quiz = study.scored_benchmarks("quiz")
    swept = _answers("base", list(study.every_set), quiz)
    for sweep in study.sweeps.points:
        sizes = {name: dict.fromkeys(LANGUAGES, 100) for name in study.sweeps.sets_of(sweep)}
        used = swept[swept["mask_set"].isin([*sizes, "original"])]
        frames[f"sweeps/{sweep}"] = score_sweep(
            used, quiz, study.sweep_points(sweep), sizes, halves=sweep in ("threshold", "ablation"), resamples=100,
            seed=0,
        )  # fmt: skip
    for name, frame in frames.items():
        write_table(frame, results / f"{name}.parquet", {"rule": "drawn", "versions": {"drawn": "1"}})
    _judged(workspace)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Path:
    """Return the report of the small study; its tables and figures lie beside it."""
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
    _measure(workspace)
    workspace.run(*measured, "--touch")
    workspace.run()
    target = workspace.results / "report.html"
    workspace.run("--report", str(target.relative_to(workspace.folder)))
    return target
