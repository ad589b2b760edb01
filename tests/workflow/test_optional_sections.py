"""Studies without some of the evaluations: what they plan, and one that runs to its end."""

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import read_table
from support.workspace import Workspace, plain

LANGUAGES = ["en", "vi"]
TABLES = {"mask_counts", "stability", "overlap", "answers", "selectivity", "double_dissociation"}
FIGURES = {"mask_layers", "stability", "overlap", "double_dissociation"}


def tiny(demo: dict[str, Any], model: Path) -> dict[str, Any]:
    """A study of a tiny model on small files: all kinds of questions."""
    config = plain(demo)
    config["study"] = "tiny"
    config["languages"] = {code: {"name": code} for code in LANGUAGES}
    config["models"] = {
        "base": {"label": "Tiny", "source": "local", "path": str(model), "layers": 3, "intermediate_size": 48}
    }
    config["transfer_models"] = []
    config["demo"]["data"].update(documents=100, identification=60, benchmark=12, questions=2)
    config["corpora"].update(documents=20)
    sets = config["mask_sets"]
    resampled = {**sets["crane"], "label": "CRANE, resampled", "intervention": {"resample": 1}}
    config["mask_sets"] = {
        "crane": sets["crane"], "random": {**sets["random"], "seeds": 2}, "resampled": resampled,
    }  # fmt: skip
    config["benchmarks"] = {f"quiz_{code}": config["benchmarks"][f"quiz_{code}"] for code in LANGUAGES}
    config["suites"] = {"quiz": list(config["benchmarks"])}
    config["open_questions"].update(suffix=dict.fromkeys(LANGUAGES, ""), max_new_tokens=4, context=64)
    shown = ["crane", "resampled"]
    config["perplexity"] = {"mask_sets": shown, "transfer": False, "documents": 8, "max_tokens": 24}
    config["calibration"] = {
        "neurons": 16, "groups": 8, "group_size": 4, "documents": 8, "max_tokens": 24, "seed": 0,
    }  # fmt: skip
    config["scores"]["resamples"] = 100
    return config


SECTIONS = {
    "benchmarks": ["benchmarks", "suites"],
    "open questions": ["open_questions", "judges"],
    "perplexity": ["perplexity", "calibration"],
}
# What is made of each.
OF_BENCHMARKS = (
    {"table1", "matrix-base-quiz", "drop_tests-base-quiz", "null_distribution-quiz", "f1_differences-quiz"},
    {"drop_heatmap-base-quiz", "random_band-quiz"},
)
OF_OPEN_QUESTIONS = (
    {
        "table2", "matrix-base-open", "drop_tests-base-open", "null_distribution-open", "f1_differences-open",
        "answer_language-base",
    },
    {"drop_heatmap-base-open", "random_band-open", "judge_scores-base"},
)  # fmt: skip
OF_PERPLEXITY = ({"perplexity-base", "calibration"}, {"perplexity-base", "calibration"})


def without(config: dict[str, Any], *kinds: str) -> dict[str, Any]:
    """Return a copy of the study without some kinds of questions."""
    removed = {section for kind in kinds for section in SECTIONS[kind]}
    return copy.deepcopy({key: value for key, value in config.items() if key not in removed})


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any], model_folder: Path
) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("optional"), tiny(demo_config, model_folder))


def made(workspace: Workspace) -> tuple[set[str], set[str]]:
    """Return the names of the tables and figures that a study makes."""
    files = [Path(name) for name in workspace.outputs()]
    return tuple({path.stem for path in files if path.parent.name == kind} for kind in ("tables", "figures"))


@pytest.mark.parametrize(
    "removed, kept",
    [
        ([], [OF_BENCHMARKS, OF_OPEN_QUESTIONS, OF_PERPLEXITY]),
        (["open questions"], [OF_BENCHMARKS, OF_PERPLEXITY]),
        (["benchmarks"], [OF_OPEN_QUESTIONS, OF_PERPLEXITY]),
        (["benchmarks", "open questions"], [OF_PERPLEXITY]),
        (["open questions", "perplexity"], [OF_BENCHMARKS]),
    ],
    ids=lambda value: "-".join(value) if all(isinstance(one, str) for one in value) else "",
)
def test_a_study_plans_what_it_asks_and_no_more(
    workspace: Workspace, removed: list[str], kept: list[tuple[set[str], set[str]]]
) -> None:
    with workspace.configured(lambda config: [config.pop(s) for kind in removed for s in SECTIONS[kind]]):
        planned = workspace.planned()
        tables, figures = made(workspace)
    assert tables == TABLES.union(*(tables for tables, _ in kept))
    assert figures == FIGURES.union(*(figures for _, figures in kept))
    rules = {"benchmarks": "render_prompts", "open questions": "ask_judge", "perplexity": "score_perplexity"}
    for kind, rule in rules.items():
        assert (rule in planned) == (kind not in removed)
    assert ("score_masks" in planned) == (not {"benchmarks", "open questions"} <= set(removed))
    assert planned["evaluate_masks_base_0"] == 1


def with_every_option(config: dict[str, Any]) -> dict[str, Any]:
    """Return a study with texts of unequal length, none alike, and random sets on a part of its questions."""
    config = copy.deepcopy(config)
    config["corpora"].update(sample="document", max_tokens=60, near_duplicates=0.8, table=True)
    config["mask_sets"]["many"] = {**config["mask_sets"]["random"], "label": "Many", "seeds": 5}
    part = {"quiz": 6} if "suites" in config else {"perplexity": 4}
    config["evaluation"]["sample"] = {"mask_sets": ["many"], "questions": part, "seed": 0, "sets_per_job": 3}
    return config


@pytest.mark.slow
@pytest.mark.parametrize(
    "removed", [["benchmarks", "open questions"], ["open questions", "perplexity"]], ids="-".join
)
def test_a_study_of_one_kind_runs_to_its_end(
    tmp_path: Path, demo_config: dict[str, Any], model_folder: Path, removed: list[str]
) -> None:
    config = with_every_option(without(tiny(demo_config, model_folder), *removed))
    workspace = Workspace(tmp_path, config)
    jobs = workspace.planned()
    assert (
        jobs["evaluate_masks_base_1"] == jobs["evaluate_masks_base_2"] == 1
        and "evaluate_masks_base_3" not in jobs
    )
    workspace.run()
    tables, figures = made(workspace)
    assert {"corpora", "sampled_null"} < tables
    for name in tables:
        frame = pd.read_csv(workspace.results / "tables" / f"{name}.csv")
        assert len(frame) and frame.notna().any(axis=1).all(), name
        text = (workspace.results / "tables" / f"{name}.md").read_text()
        assert "Warning: the samples from which neurons are selected differ in length" in text, name
    assert "* Warning: the samples" in (workspace.results / "answers.rst").read_text()
    for name in figures:
        for form in ("pdf", "png"):
            assert (workspace.results / "figures" / f"{name}.{form}").stat().st_size > 1000, name
    for path in workspace.results.rglob("*.parquet"):
        assert len(read_table(path)), path
    null = read_table(workspace.results / "sampled_null.parquet")
    assert set(null["null_seeds"]) == {5} and set(null["label"]) == {"crane", "resampled"}
    assert set(null["questions"]) == ({4} if "benchmarks" in removed else {6})
    assert set(null["of"]) == ({8} if "benchmarks" in removed else {12})
    shown = {path.parent.name for path in workspace.results.glob("evaluations/base/*/*.parquet")}
    assert shown == {"original", "crane", "resampled", "many"} | (
        {"random"} if "perplexity" in removed else set()
    )
    assert workspace.planned() == {}
