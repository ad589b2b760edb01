"""A small study whose measurements are drawn at random, published for real: no model is trained or asked."""

import importlib.util
import shutil
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import write_json, write_jsonl, write_table
from crane.selection.summary import write_mask_set
from safetensors.numpy import save_file
from support.drawn_measurements import DrawnMeasurements, drawn_facts
from support.drawn_study import small_demo
from support.workspace import Workspace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MADE_HERE = ("tables", "figures", "provenance.json", "provenance.html", "CITATION.bib", "answers.rst")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the browser's path; skip where there is none or nothing drives it."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: make test-report")
    if CHROMIUM is None:
        pytest.skip("no chromium: make test-report installs it where apt and root rights are")
    return CHROMIUM


def _measure(workspace: Workspace) -> None:
    """Write the frames that tables and figures read."""
    drawn, results = DrawnMeasurements(workspace.config), workspace.results
    for name, neurons in drawn.masks.items():
        path = results / "masks" / "base" / f"{name}.parquet"
        write_mask_set(neurons, path, path.with_suffix(".json"), {"rule": "drawn"})
    frames = {
        "scores": drawn.scores, "langspec_f1": drawn.langspec_f1, "stability": drawn.stability,
        "overlap": drawn.overlap, "perplexity": drawn.perplexity, "selection_null": drawn.selection_null,
        **drawn.contrasts, "calibration": drawn.calibration,
        **{f"kurtosis/base/{layer}": frame for layer, frame in drawn.kurtosis.items()},
        **{f"sweeps/{sweep}": drawn.sweep(sweep) for sweep in workspace.config["sweeps"]},
    }  # fmt: skip
    for name, frame in frames.items():
        write_table(frame, results / f"{name}.parquet", {"rule": "drawn", "versions": {"drawn": "1"}})
    for (judge, model), records in groupby(drawn.judgements, itemgetter("judge", "model")):
        write_jsonl(records, results / "judgements" / judge / f"{model}.jsonl")


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Path:
    """Return the report of the small study; its tables and figures lie beside it."""
    config = small_demo() | {"study": "drawn"}
    del config["steering"]  # whose results are no measurements of masks
    config["figures"]["dpi"] = 72
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
            of_texts = drawn_facts(0) if {"corpora", "held_out"} & {*path.parts} else {}
            write_table(pd.DataFrame({"drawn": [0]}), path, {"rule": "drawn", **of_texts})
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
