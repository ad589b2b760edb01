"""The tables built from the published numbers show what the paper prints, row by row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crane.errors import CraneError
from crane.results.frames import f1_rows, score_rows
from crane.results.labels import Labels, ResultsError
from crane.tables import paper as tables
from crane.tables import rendering

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
SIZES = {"mmlu": 14042, "ceval": 1346, "belebele_vi": 900}
LANGUAGES = {"en": "English", "vi": "Vietnamese", "zh": "Chinese"}
BENCHMARKS = {
    "mmlu": {"label": "MMLU (en)", "language": "en", "kind": "nlu", "suite": "exam"},
    "ceval": {"label": "C-Eval (zh)", "language": "zh", "kind": "nlu", "suite": "exam"},
    "belebele_vi": {"label": "Belebele_vi (vi)", "language": "vi", "kind": "nlu", "suite": "exam"},
    "open_en": {"label": "Open_en", "language": "en", "kind": "open", "suite": "open"},
    "open_vi": {"label": "Open_vi", "language": "vi", "kind": "open", "suite": "open"},
    "open_zh": {"label": "Open_zh", "language": "zh", "kind": "open", "suite": "open"},
}
MODELS = {"llama2-7b-base": "Base model", "llama2-7b-chat": "Chat model"}
BASE, CHAT = MODELS


def labels(*mask_sets: str) -> Labels:
    """Return the paper's study with some of its mask sets."""
    shown = {"lape": "LAPE", "crane": "CRANE", "random": "Random"}
    chosen = {name: shown[name] for name in mask_sets}
    return Labels(LANGUAGES, BENCHMARKS, chosen, MODELS, judge="GPT-4")


def published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the paper's numbers as the frames of the scores stage; what it does not print is undefined."""
    scores = pd.read_csv(PUBLISHED / "scores.csv")
    scores = scores.rename(columns={"evaluated_model": "model", "benchmark_language": "language"})
    scores = scores.assign(mask_set=scores["method"], label=scores["method"], missing=0)
    for column in ("kind", "suite"):
        scores[column] = scores["benchmark"].map(lambda name, column=column: BENCHMARKS[name][column])
    scores["n"] = scores["benchmark"].map(SIZES).fillna(70).astype(int)
    where = ["model", "benchmark"]
    original = scores[scores["method"] == "original"].set_index(where)["score"].rename("original")
    scores = scores.join(original, on=where)
    scores["drop"] = (scores["original"] - scores["score"]).where(scores["method"] != "original")
    scores["relative_drop"] = scores["drop"] / scores["original"]
    scores[["low", "high", "drop_low", "drop_high", "probability"]] = np.nan

    f1 = pd.read_csv(PUBLISHED / "langspec_f1.csv")
    f1 = f1.rename(columns={"evaluated_model": "model", "langspec_f1": "f1"})
    f1 = f1.assign(mask_set=f1["method"], label=f1["method"])
    f1["kind"] = f1["table"].map({"table1": "nlu", "table2": "open", "table3": "nlu", "table4": "open"})
    f1["suite"] = f1["kind"].map({"nlu": "exam", "open": "open"})
    undefined = ["neurons", "low", "high", "precision", "recall", "target_drop", "target_drop_low"]
    f1[[*undefined, "target_drop_high", "other_drop", "distinguishable", "f1_probability"]] = np.nan
    return scores.drop(columns=["table", "original"]), f1.drop(columns="table")


def study() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the published base model with three seeds of random and all intervals."""
    scores, f1 = (frame[frame["model"] == BASE] for frame in published())
    shifted_scores, shifted_f1 = [], []
    for seed, shift in enumerate((-0.01, 0.0, 0.02)):
        for frame, value, collected in ((scores, "score", shifted_scores), (f1, "f1", shifted_f1)):
            random = frame[frame["method"] == "random"]
            named = random.assign(mask_set=f"random-{seed}", **{value: random[value] + shift})
            collected.append(named)
    scores = pd.concat([scores[scores["method"] != "random"], *shifted_scores], ignore_index=True)
    f1 = pd.concat([f1[f1["method"] != "random"], *shifted_f1], ignore_index=True)
    scores = scores.assign(low=scores["score"] - 0.02, high=scores["score"] + 0.02, probability=0.5)
    f1 = f1.assign(low=f1["f1"] - 0.03, high=f1["f1"] + 0.03, neurons=1234, f1_probability=f1["f1"] / 2)
    return scores, f1.assign(distinguishable=f1["method"] == "crane")


def table(name: str, models: list[str], suite: str, chosen: Labels) -> rendering.Table:
    """Build one of the paper's tables."""
    return tables.score_table(
        *published(), chosen, name=name, suite=suite, models=models, identified_on=BASE, resamples=10_000
    )


EVERY, TRANSFERRED = labels("lape", "crane", "random"), labels("lape", "crane")


@pytest.mark.parametrize(
    ("built", "columns"),
    [
        (table("table1", [BASE], "exam", EVERY), {BASE: ""}),
        (table("table2", [BASE], "open", EVERY), {BASE: ""}),
        (table("table3", [BASE, CHAT], "exam", TRANSFERRED), {BASE: "Base model", CHAT: "Chat model"}),
        (table("table4", [CHAT], "open", TRANSFERRED), {CHAT: ""}),
    ],
    ids=["table1", "table2", "table3", "table4"],
)
def test_published_tables_row_by_row(built: rendering.Table, columns: dict[str, str]):
    """Every printed score and LangSpec-F1 stands in its row and column, to the last digit."""
    scores = pd.read_csv(PUBLISHED / "scores.csv", dtype=str, keep_default_na=False)
    f1 = pd.read_csv(PUBLISHED / "langspec_f1.csv", dtype=str)
    f1 = f1[f1["table"] == built.name]
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
    built = table("table1", [BASE], "exam", EVERY)
    assert list(built.cells["", "Method"]) == ["Original", *["LAPE"] * 3, *["CRANE"] * 3, *["Random"] * 3]
    assert list(built.cells["", "Mask"]) == ["–", *["en", "vi", "zh"] * 3]
    shown = ["Method", "Mask", "Neurons", "MMLU (en)", "C-Eval (zh)", "Belebele_vi (vi)"]
    assert [name for _, name in built.cells] == [*shown, "LangSpec-F1", "95% interval", "F1 (prob.)"]


def test_seeds_are_one_row_with_mean_spread_and_range():
    built = tables.score_table(
        *study(), EVERY, name="table1", suite="exam", models=[BASE], identified_on=BASE, resamples=10_000
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
        *study(), EVERY, name="table1", suite="exam", models=[BASE], identified_on=BASE, resamples=10_000
    )
    flagged = built.cells["", "LangSpec-F1"].str.endswith("†")
    assert flagged.tolist() == [False, *[True] * 3, *[False] * 3, *[True] * 3]
    text = rendering.render(built, "txt")
    assert text.startswith("Table 1. NLU results on Base model")
    assert max(map(len, text.splitlines())) <= rendering.TERMINAL_WIDTH


def test_csv_holds_every_number():
    built = table("table3", [BASE, CHAT], "exam", TRANSFERRED)
    assert len(built.tidy) == 2 * 7 * 3
    assert rendering.render(built, "csv").count("\n") == 1 + len(built.tidy)
    row = built.tidy.query(
        f"model == {CHAT!r} and mask_set == 'crane' and mask_language == 'vi' and benchmark == 'belebele_vi'"
    ).iloc[0]
    assert (row["score"], row["f1"], row["n"]) == (0.2867, 0.4316, 900)
    assert row["drop"] == pytest.approx(0.4067 - 0.2867)


def test_latex_is_escaped_and_uses_booktabs():
    text = rendering.render(table("table1", [BASE], "exam", EVERY), "tex")
    assert r"Belebele\_vi (vi)" in text and r"95\% interval" in text and r"\toprule" in text
    assert "_vi" not in text.replace(r"\_vi", "") and text.isascii()
    grouped = rendering.render(table("table3", [BASE, CHAT], "exam", TRANSFERRED), "tex")
    assert r"\multicolumn{3}{c}{Base model}" in grouped


def test_markdown_has_title_table_and_notes():
    text = rendering.render(table("table2", [BASE], "open", EVERY), "md")
    assert text.startswith("**Table 2. Open-ended generation results on Base model")
    assert "| CRANE    | zh     |" in text and "- Scores by GPT-4." in text
    with pytest.raises(ValueError, match=r"form .pdf."):
        rendering.render(table("table2", [BASE], "open", EVERY), "pdf")


def test_what_is_missing_is_named():
    scores, f1 = published()
    arguments = {"name": "table1", "suite": "exam", "models": [BASE], "identified_on": BASE, "resamples": 10}
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
    both = Labels(LANGUAGES, BENCHMARKS | second, EVERY.mask_sets, MODELS)
    exam, exam_f1 = (frame[frame["suite"] == "exam"] for frame in (scores, f1))
    reading = exam.assign(
        suite="reading", benchmark=exam["benchmark"] + "_b", score=exam["score"] / 2, n=exam["n"] + 1
    )
    scores = pd.concat([scores, reading], ignore_index=True)
    f1 = pd.concat([f1, exam_f1.assign(suite="reading", f1=exam_f1["f1"] / 2)], ignore_index=True)
    arguments = {"models": [BASE], "identified_on": BASE, "resamples": 10}
    built = {
        suite: tables.score_table(scores, f1, both, name=suite, suite=suite, **arguments)
        for suite in ("exam", "reading", "open")
    }
    alone = tables.score_table(*study(), EVERY, name="exam", suite="exam", **arguments)
    pd.testing.assert_frame_equal(built["exam"].tidy, alone.tidy)
    pd.testing.assert_frame_equal(built["exam"].cells, alone.cells)
    np.testing.assert_allclose(built["reading"].tidy["score"], alone.tidy["score"] / 2)
    assert set(built["reading"].tidy["suite"]) == {"reading"} and "F1 (prob.)" in built["reading"].cells[""]
    assert "14,043" in built["reading"].notes[0] and "accuracy" in built["reading"].notes[0]
    assert built["reading"].title.startswith("NLU (reading) results on")
    assert built["open"].title.startswith("Open-ended generation results on")
    assert alone.title.startswith("NLU results on")


def test_order_is_the_mappings_whatever_the_order_of_the_results():
    """Mask sets, languages and benchmarks stand as `Labels` has them; the rows of the frames may come in any order."""
    languages = {code: LANGUAGES[code] for code in ("zh", "en", "vi")}
    benchmarks = {name: BENCHMARKS[name] for name in reversed(BENCHMARKS)}
    chosen = Labels(languages, benchmarks, labels("random", "lape", "crane").mask_sets, MODELS)
    scores, f1 = (frame.sample(frac=1, random_state=3) for frame in study())
    rows, effects = score_rows(scores, chosen, [BASE], "exam"), f1_rows(f1, chosen, [BASE], "exam")
    assert list(dict.fromkeys(rows["label"])) == ["original", "random", "lape", "crane"]
    assert list(effects["mask_language"]) == ["zh", "en", "vi"] * 3
    assert list(rows["benchmark"][:3]) == ["belebele_vi", "ceval", "mmlu"]
    ordered = score_rows(study()[0], chosen, [BASE], "exam")
    pd.testing.assert_frame_equal(rows, ordered[rows.columns])


@pytest.mark.parametrize("layers", [4, 30])
def test_mask_counts(layers: int):
    rng = np.random.default_rng(0)

    def mask(count: int) -> pd.DataFrame:
        columns = {"layer": [layers - 1, *rng.integers(0, layers, count - 1)], "site": "intermediate"}
        return pd.concat(pd.DataFrame({"language": code, **columns}) for code in LANGUAGES)

    masks = {"lape": mask(50), "crane": mask(70), "random-0": mask(70), "random-1": mask(70)}
    built = tables.mask_counts(masks, EVERY, layers)
    assert len(built.tidy) == 3 * 3 * layers
    assert built.tidy.groupby("mask_set")["neurons"].sum().to_dict() == {
        "lape": 150,
        "crane": 210,
        "random": 210,
    }
    assert built.cells["", "Neurons"].tolist() == ["50"] * 3 + ["70"] * 6
    assert len(built.cells.columns) <= 3 + tables.LAYER_COLUMNS
    with pytest.raises(ResultsError, match="no file for mask set 'random'"):
        tables.mask_counts({"lape": masks["lape"], "crane": masks["crane"]}, EVERY, layers)
