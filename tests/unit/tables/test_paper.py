"""The tables built from the published numbers show what the paper prints, row by row."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from crane.errors import CraneError
from crane.results.labels import Labels, ResultsError
from crane.tables import paper as tables
from crane.tables import rendering
from support.judged_results import judged
from support.places import PUBLISHED
from support.published_results import (
    BASE,
    BENCHMARKS,
    CHAT,
    EVERY,
    LANGUAGES,
    MODELS,
    TRANSFERRED,
    published,
    study,
    table,
)


@pytest.mark.parametrize(
    ("name", "suite", "chosen", "columns"),
    [
        ("table1", "exam", EVERY, {BASE: ""}),
        ("table2", "open", EVERY, {BASE: ""}),
        ("table3", "exam", TRANSFERRED, {BASE: "Base model", CHAT: "Chat model"}),
        ("table4", "open", TRANSFERRED, {CHAT: ""}),
    ],
    ids=["table1", "table2", "table3", "table4"],
)
def test_published_tables_row_by_row(name: str, suite: str, chosen: Labels, columns: dict[str, str]):
    """Every printed score and LangSpec-F1 stands in its row and column, to the last digit."""
    built = table(list(columns), suite, chosen)
    scores = pd.read_csv(PUBLISHED / "scores.csv", dtype=str, keep_default_na=False)
    f1 = pd.read_csv(PUBLISHED / "langspec_f1.csv", dtype=str)
    f1 = f1[f1["table"] == name]
    methods = {"original": "Original", "lape": "LAPE", "crane": "CRANE", "random": "Random"}
    cells = built.cells.set_index([("", "Method"), ("", "Mask")])
    checked = 0
    for row in scores.itertuples():
        column = columns.get(row.evaluated_model), BENCHMARKS[row.benchmark]["label"]
        if column in cells and (methods[row.method] in cells.index.get_level_values(0)):
            mask = row.mask_language.replace("none", "–")
            assert cells.loc[(methods[row.method], mask), column] == row.score
            checked += 1
    assert checked == len(cells) * 3 * len(columns)
    group = columns[f1["evaluated_model"].iloc[0]]
    for row in f1.itertuples():
        assert cells.loc[(methods[row.method], row.mask_language), (group, "LangSpec-F1")] == row.langspec_f1
    assert len(f1) == len(cells) - 1


def test_rows_follow_the_study_and_columns_the_paper():
    built = table([BASE], "exam", EVERY)
    assert list(built.cells["", "Method"]) == ["Original", *["LAPE"] * 3, *["CRANE"] * 3, *["Random"] * 3]
    assert list(built.cells["", "Mask"]) == ["–", *["en", "vi", "zh"] * 3]
    shown = ["Method", "Mask", "Neurons", "MMLU (en)", "C-Eval (zh)", "Belebele_vi (vi)"]
    effect = ["D", "95% interval of D", "LangSpec-F1", "95% interval", "F1 (prob.)"]
    assert [name for _, name in built.cells] == [*shown, *effect]


def test_selectivity_stands_before_f1_and_follows_from_the_printed_scores():
    """CRANE's English mask costs MMLU .1096 and Belebele .0911; its Chinese one C-Eval .0156 and Belebele .0378."""
    cells = table([BASE], "exam", EVERY).cells.set_index([("", "Method"), ("", "Mask")])
    shown = cells["", "D"].loc["CRANE"]
    assert shown.to_dict() == {"en": "+0.0185", "zh": "−0.0222", "vi": "+0.0427"}
    assert cells.loc[("Original", "–"), ("", "D")] == "–"


def test_seeds_are_one_row_with_mean_spread_and_range():
    built = tables.score_table(
        *study(), EVERY, suite="exam", models=[BASE], identified_on=BASE, resamples=10_000
    )
    row = built.cells.iloc[7]
    assert row["", "Method"] == "Random (3 seeds)"
    values = 0.4249 + np.array([-0.01, 0.0, 0.02])
    spread = f"{values.std(ddof=1):.3f}".removeprefix("0")
    assert row["", "MMLU (en)"] == f"{values.mean():.4f} ±{spread}"
    assert row["", "95% interval"] == "[0.117, 0.147]‡"
    assert row["", "Neurons"] == "1,234"
    tidy = built.tidy.query("mask_set == 'random' and mask_language == 'en' and benchmark == 'mmlu'").iloc[0]
    assert (tidy["seeds"], tidy["interval"]) == (3, "seeds")
    assert tidy[["low", "high"]].tolist() == pytest.approx([values.min(), values.max()])
    assert any(note.startswith("±") for note in built.notes)


def test_a_drop_that_is_not_distinguishable_carries_a_dagger():
    built = tables.score_table(
        *study(), EVERY, suite="exam", models=[BASE], identified_on=BASE, resamples=10_000
    )
    flagged = built.cells["", "LangSpec-F1"].str.endswith("†")
    assert flagged.tolist() == [False, *[True] * 3, *[False] * 3, *[True] * 3]
    text = rendering.render(built, "table1", "txt")
    assert text.startswith("Table 1. NLU results on Base model")
    assert max(map(len, text.splitlines())) <= rendering.TERMINAL_WIDTH


def test_what_is_missing_is_named():
    scores, f1 = published()
    arguments = {"suite": "exam", "models": [BASE], "identified_on": BASE, "resamples": 10}
    with pytest.raises(ResultsError, match=r"scores: no row for .*'llama2-7b-base'.*benchmark 'ceval'"):
        tables.score_table(scores[scores["benchmark"] != "ceval"], f1, EVERY, **arguments)
    with pytest.raises(
        ResultsError, match=r"LangSpec-F1: no row for .*label 'crane'.* and 2 more; .*: lape, random"
    ):
        tables.score_table(scores, f1[f1["method"] != "crane"], EVERY, **arguments)
    with pytest.raises(CraneError, match="suite 'speech': not in the study, which has exam, open"):
        tables.score_table(scores, f1, EVERY, **{**arguments, "suite": "speech"})


def test_suites_of_one_kind_do_not_mix_and_are_named():
    """A second suite of kind `nlu` gets its own table, from its own rows."""
    scores, f1 = study()
    second = {
        f"{name}_b": {**facts, "suite": "reading"}
        for name, facts in BENCHMARKS.items()
        if facts["kind"] == "nlu"
    }
    both = Labels(LANGUAGES, EVERY.mask_sets, BENCHMARKS | second, MODELS)
    exam, exam_f1 = (frame[frame["suite"] == "exam"] for frame in (scores, f1))
    reading = exam.assign(
        suite="reading", benchmark=exam["benchmark"] + "_b", score=exam["score"] / 2, n=exam["n"] + 1
    )
    scores = pd.concat([scores, reading], ignore_index=True)
    f1 = pd.concat([f1, exam_f1.assign(suite="reading", f1=exam_f1["f1"] / 2)], ignore_index=True)
    arguments = {"models": [BASE], "identified_on": BASE, "resamples": 10}
    built = {
        suite: tables.score_table(scores, f1, both, suite=suite, **arguments)
        for suite in ("exam", "reading", "open")
    }
    alone = tables.score_table(*study(), EVERY, suite="exam", **arguments)
    pd.testing.assert_frame_equal(built["exam"].tidy, alone.tidy)
    pd.testing.assert_frame_equal(built["exam"].cells, alone.cells)
    np.testing.assert_allclose(built["reading"].tidy["score"], alone.tidy["score"] / 2)
    assert set(built["reading"].tidy["suite"]) == {"reading"} and "F1 (prob.)" in built["reading"].cells[""]
    assert "14,043" in built["reading"].notes[0] and "accuracy" in built["reading"].notes[0]
    assert built["reading"].title.startswith("NLU (reading) results on")
    assert built["open"].title.startswith("Open-ended generation results on")
    assert alone.title.startswith("NLU results on")


def test_the_papers_table_shows_the_share_beside_the_score():
    scores, f1 = judged()
    shown = {"models": [BASE], "identified_on": BASE, "resamples": 100}
    table = tables.score_table(scores, f1, EVERY, suite="open", **shown)
    cells = table.cells.set_index([("", "Method"), ("", "Mask")])
    assert cells.loc[("CRANE", "zh"), ("", "In zh")] == "50%"
    assert cells.loc[("CRANE", "zh"), ("", "In en")] == "100%"
    assert any(note.startswith("In en, ...: share of answers") for note in table.notes)
    assert max(map(len, rendering.render(table, "table2", "txt").splitlines())) <= rendering.TERMINAL_WIDTH
    nlu = tables.score_table(scores, f1, EVERY, suite="exam", **shown)
    assert not [name for _, name in nlu.cells if name.startswith("In ")]


def test_what_a_destroyed_model_reaches_is_marked():
    """CRANE's three values, one of them above what all neurons have; random sets are held against it, too."""
    shown = replace(EVERY, mask_sets={**EVERY.mask_sets, "destroyed": "All MLP neurons"})
    scores, f1 = published()
    every = {"mask_set": "destroyed", "label": "destroyed", "method": "all"}
    crane = f1["method"] == "crane"
    scores = pd.concat([scores, scores[scores["method"] == "crane"].assign(**every)])
    f1 = pd.concat(
        [f1, f1[crane].assign(**every, f1=f1["mask_language"].map({"en": 0.5, "vi": 0.4, "zh": 0.0779}))]
    )
    built = tables.score_table(
        scores, f1, shown, suite="exam", models=[BASE], identified_on=BASE, resamples=10_000
    )
    column = built.cells["", "LangSpec-F1"]
    of = dict(zip(built.cells["", "Method"] + " " + built.cells["", "Mask"], column, strict=True))
    assert (of["CRANE en"], of["CRANE vi"], of["CRANE zh"]) == ("0.3328¶", "0.4747", "0.0779¶")
    assert of["Random en"].endswith("¶") and not column.iloc[-3:].str.contains("¶").any()
    assert built.notes[-1].startswith(
        "¶: not above the LangSpec-F1 of All MLP neurons (all MLP neurons masked)"
    )
    assert not table([BASE], "exam", EVERY).cells["", "LangSpec-F1"].str.contains("¶").any()
