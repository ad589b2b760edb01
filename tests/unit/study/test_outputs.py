"""What a study makes: every table and figure that it has results for, and none without."""

from functools import cache
from typing import Any

import pytest
from crane.figures.style import Style
from crane.names import FIGURE_FORMS, TABLE_FORMS
from crane.study import outputs
from crane.study.study import Study
from support.drawn_study import FIGURES, TABLES, DrawnStudy, paper_with_evidence, parts, small_demo
from support.study_config import GPT, REMOVE, changed

NO_BENCHMARKS = {
    "benchmarks": REMOVE,
    "suites": REMOVE,
    "sweeps": REMOVE,
    "published": REMOVE,
    "comparison": {"suite": "perplexity", "methods": {"CRANE": ["crane"]}},
}
NO_QUESTIONS = {"open_questions": REMOVE, "judges": REMOVE, "published": REMOVE, "steering": REMOVE}
STYLE = Style(dpi=72)
ALWAYS = {"corpora", "mask_counts", "stability", "overlap", "answers", "selectivity", "double_dissociation"}
STUDIES: dict[str, dict[str, Any]] = {
    "whole": {},
    "without open questions": NO_QUESTIONS,
    "without benchmarks": NO_BENCHMARKS,
    "perplexity only": {**NO_BENCHMARKS, **NO_QUESTIONS},
    "without perplexity": {"perplexity": REMOVE, "calibration": REMOVE, "steering__documents": REMOVE},
    "without steering": {"steering": REMOVE},
    "without sweeps": {"sweeps": REMOVE},
    "without transfer": {"transfer_models": [], "models__chat": REMOVE},
    "without random sets": {
        "mask_sets__random": REMOVE, "perplexity__mask_sets": ["crane"], "sweeps__budget__mask_sets": ["crane"],
        "steering__mask_sets": ["crane"], "comparison__methods": {"CRANE": ["crane"]},
    },
    "one mask set": {
        "mask_sets__random": REMOVE, "mask_sets__crane_threshold": REMOVE, "perplexity__mask_sets": ["crane"],
        "sweeps": REMOVE, "steering__mask_sets": ["crane"], "comparison__methods": {"CRANE": ["crane"]},
    },
    "one judge": {"judges__second": REMOVE},
    "a paid judge": {"judges__gpt": GPT},
    "a part for many seeds": {
        "mask_sets__many": {"label": "Many", "method": "random", "match": "crane", "seeds": 4},
        "evaluation__sample": {"mask_sets": ["many"], "questions": {"quiz": 5, "perplexity": 5}, "seed": 0},
    },
}  # fmt: skip


@cache
def drawn(name: str) -> DrawnStudy:
    return DrawnStudy(changed(small_demo(), **STUDIES[name]))


def kinds(names: list[str]) -> set[str]:
    return {parts(name)[0] for name in names}


EVALUATIONS = ["without open questions", "without benchmarks", "perplexity only", "one mask set"]


@pytest.mark.parametrize(
    "name", [*EVALUATIONS, "without random sets", "a paid judge", "a part for many seeds"]
)
def test_no_table_is_empty(name: str) -> None:
    for table in outputs.tables(drawn(name).study):
        built = drawn(name).table(table)
        assert len(built.tidy) and built.cells.size, table
        assert not built.cells.isin(["", "nan", "None"]).all(axis=0).any(), table
        assert not built.cells.isin(["nan", "None"]).any(axis=None), table


@pytest.mark.parametrize("name", EVALUATIONS)
def test_no_figure_is_empty(name: str) -> None:
    for figure in outputs.figures(drawn(name).study):
        panels = drawn(name).figure(figure, STYLE).axes
        assert panels and all(axes.has_data() for axes in panels), figure


@pytest.mark.parametrize("name", STUDIES)
def test_every_name_is_there_once(name: str) -> None:
    for names in (outputs.tables(drawn(name).study), outputs.figures(drawn(name).study)):
        assert len(set(names)) == len(names)


def test_the_whole_study_has_everything() -> None:
    tables = kinds(outputs.tables(drawn("whole").study)) - {"table1", "table2", "table3", "table4"}
    assert tables == set(TABLES) - {"judge_usage", "sampled_null"}
    assert kinds(outputs.tables(drawn("a paid judge").study)) >= set(TABLES) - {"sampled_null"}
    part = set(outputs.tables(drawn("a part for many seeds").study))
    assert part == {*outputs.tables(drawn("whole").study), "sampled_null"}
    assert kinds(outputs.figures(drawn("whole").study)) == set(FIGURES)


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("without perplexity", {"perplexity", "calibration"}),
        ("without sweeps", {"sweep", "equal_damage"}),
        ("without steering", {"steering"}),
        ("without transfer", {"table3", "table4", "transfer"}),
        ("without random sets", {"null_distribution", "random_band"}),
        (
            "one mask set",
            {"null_distribution", "random_band", "f1_differences", "sweep", "equal_damage", "kurtosis_contrast"},
        ),
        ("one judge", {"judge_agreement"}),
        ("without open questions",
         {"table2", "table4", "answer_language", "judge_agreement", "judge_scores", "published", "steering"}),
        ("without benchmarks", {"table1", "table3", "sweep", "equal_damage", "published"}),
    ],
)  # fmt: skip
def test_what_a_study_lacks_has_no_table_and_no_figure(name: str, without: set[str]) -> None:
    whole, part = drawn("whole").study, drawn(name).study
    lacking = kinds([*outputs.tables(whole), *outputs.figures(whole)]) - kinds(
        [*outputs.tables(part), *outputs.figures(part)]
    )
    assert lacking == without


def test_suites_and_models_are_those_of_the_study() -> None:
    assert [name for name in outputs.tables(drawn("without open questions").study) if "open" in name] == []
    assert [name for name in outputs.figures(drawn("without benchmarks").study) if "quiz" in name] == []
    one = [
        *outputs.tables(drawn("without transfer").study),
        *outputs.figures(drawn("without transfer").study),
    ]
    assert [name for name in one if "chat" in name] == []


def test_perplexity_alone_has_its_matrix_and_what_every_study_has() -> None:
    study = drawn("perplexity only").study
    assert set(outputs.tables(study)) == {*ALWAYS, "perplexity-base", "calibration", "methods"}
    assert set(outputs.figures(study)) == {
        "stability", "overlap", "mask_layers", "double_dissociation", "kurtosis_contrast-base", "perplexity-base",
        "calibration", "methods",
    }  # fmt: skip
    assert outputs.score_tables(study) == {} and outputs.published(study) == []


def test_the_papers_tables_are_numbered_and_further_suites_named() -> None:
    study = Study(paper_with_evidence())
    shown = outputs.score_tables(study)
    assert {name: (one["suite"], one["models"]) for name, one in shown.items()} == {
        "table1": ("nlu", ["base"]), "table3": ("nlu", ["base", "chat"]),
        "table1_belebele": ("belebele", ["base"]), "table3_belebele": ("belebele", ["base", "chat"]),
        "table2": ("open", ["base"]), "table4": ("open", ["chat"]),
    }  # fmt: skip
    assert all((one["identified_on"], one["resamples"]) == ("base", 10_000) for one in shown.values())


def test_published_numbers_stand_beside_the_suites_that_correspond_to_them() -> None:
    study = Study(paper_with_evidence())
    pairs = [("base", "nlu"), ("base", "open"), ("chat", "nlu"), ("chat", "open")]
    assert outputs.published(study) == pairs, "Belebele in three languages is not in the paper"
    assert {f"published-{model}-{suite}" for model, suite in pairs} <= set(outputs.tables(study))
    assert {f"published-{model}-{suite}" for model, suite in pairs} <= set(outputs.figures(study))


def test_files_are_the_tables_and_figures_in_all_forms() -> None:
    study = drawn("whole").study
    assert len(outputs.table_files(study)) == len(outputs.tables(study)) * len(TABLE_FORMS)
    assert len(outputs.figure_files(study)) == len(outputs.figures(study)) * len(FIGURE_FORMS)
    assert "results/demo/tables/table1.html" in outputs.table_files(study)
    assert "results/demo/figures/transfer-quiz.png" in outputs.figure_files(study)
    assert outputs.record_files(study) == [
        "results/demo/provenance.json", "results/demo/provenance.html", "results/demo/CITATION.bib",
    ]  # fmt: skip
