"""The tables of tests, differences and the null show what the frames of the scores stage hold."""

import numpy as np
import pandas as pd
import pytest
from crane.results.cells import p_value, signed
from crane.results.labels import Labels, ResultsError
from crane.scores.null_distribution import COLUMNS, against_random
from crane.scores.significance import over_masks
from crane.scores.summary import summarise
from crane.tables.evidence import drop_tests, f1_differences, null_distribution
from crane.tables.rendering import TERMINAL_WIDTH, render
from support.answers import BENCHMARKS, answers

LANGUAGES = {"en": "English", "zh": "Chinese"}
MODELS = {"base": "Base", "chat": "Chat"}
LABELS = Labels(
    LANGUAGES,
    {"crane": "CRANE", "lape": "LAPE", "random": "Random"},
    {
        name: {"label": name, **{key: b[key] for key in ("language", "kind", "suite")}}
        for name, b in BENCHMARKS.items()
    },
    MODELS,
    judge="a judge",
)
SETS = ["crane", "lape", "random-0", "random-1", "random-2"]


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and LangSpec-F1 of two models, three methods, three seeds, as the scores stage writes them."""
    rng = np.random.default_rng(0)
    original = {
        name: rng.integers(0, 2, 40) if name.startswith("quiz") else rng.integers(1, 11, 30)
        for name in BENCHMARKS
    }
    table = {("original", "none"): original}
    for name in SETS:
        for code in LANGUAGES:
            table[name, code] = {
                key: np.where(rng.random(len(v)) < 0.3, v.min(), v) for key, v in original.items()
            }
    scores, f1, _ = summarise(answers(table, ("base", "chat")), BENCHMARKS, resamples=200, reference="crane")
    for frame in (scores, f1):
        frame["label"] = frame["mask_set"].str.partition("-")[0]
        frame["method"] = frame["label"]
    f1["neurons"] = 3
    scores["p_holm"] = over_masks(scores)
    layers = {name: dict.fromkeys(LANGUAGES, [1, 2] if name != "lape" else [3, 0]) for name in SETS}
    f1[COLUMNS] = against_random(f1, layers)
    f1["null_p_holm"] = over_masks(f1, "null_p", ["model", "suite"])
    return scores, f1


@pytest.mark.parametrize("suite", ["quiz", "open"])
def test_drop_tests(frames, suite):
    scores, _ = frames
    table = drop_tests(scores, LABELS, model="base", suite=suite)
    cells = table.cells.droplevel(0, axis=1)
    assert len(cells) == 3 * 2 * 2
    assert cells["Method"].tolist() == ["CRANE"] * 4 + ["LAPE"] * 4 + ["Random (3 seeds)"] * 4
    assert cells["Target"].tolist() == ["yes", "", "", "yes"] * 3
    rows = scores[(scores["model"] == "base") & (scores["suite"] == suite)]
    row = rows.set_index(["mask_set", "mask_language", "language"]).loc[("crane", "zh", "en")]
    shown = cells.iloc[2]
    assert (shown["Worse"], shown["Better"]) == (f"{row['worse']:.0f}", f"{row['better']:.0f}")
    assert shown["p"] == p_value(row["p"]) and shown["p (Holm)"] == p_value(row["p_holm"])
    assert shown["Drop"].rstrip("†") == signed(row["drop"])
    assert shown["Drop"].endswith("†") == (row["drop_low"] <= 0 <= row["drop_high"])
    random = rows[(rows["label"] == "random") & (rows["mask_language"] == "zh") & (rows["language"] == "en")]
    assert cells.iloc[10]["p"] == f"{(random['p'] < 0.05).sum()} of 3"
    assert cells.iloc[10]["p (Holm)"] == "–"
    assert "4 masks of the benchmark" in table.notes[3]
    assert ("sign test" in table.notes[2]) == (suite == "open")
    assert max(map(len, render(table, "drops", "txt").splitlines())) <= TERMINAL_WIDTH
    assert r"$" not in render(table, "drops", "tex") or r"\$" in render(table, "drops", "tex")


def test_f1_differences(frames):
    _, f1 = frames
    table = f1_differences(f1, LABELS, suite="quiz", reference="crane", resamples=200)
    assert len(table.tidy) == 2 * 2 * 2 and len(table.cells) == 2 * 2
    np.testing.assert_allclose(table.tidy["difference"], table.tidy["f1"] - table.tidy["reference_f1"])
    one = table.tidy.set_index(["model", "mask_set", "mask_language"]).loc[("chat", "lape", "zh")]
    assert table.cells[("Chat", "Difference")].tolist()[1].rstrip("*") == signed(one["difference"])
    starred = table.cells[("Chat", "Difference")].str.endswith("*").tolist()[1]
    assert starred == (one["difference_low"] > 0 or one["difference_high"] < 0)
    with pytest.raises(ResultsError, match="not compared with mask set 'lape'"):
        f1_differences(f1, LABELS, suite="quiz", reference="lape", resamples=200)


def test_null_distribution(frames):
    _, f1 = frames
    table = null_distribution(f1, LABELS, suite="quiz")
    assert table.cells[("", "Method")].tolist() == ["CRANE", "CRANE", "LAPE", "LAPE"]
    assert table.cells[("", "Random sets")].tolist() == ["same layers"] * 2 + ["same size"] * 2
    assert any("p is at least 0.250" in note for note in table.notes)
    for row in table.tidy.itertuples():
        seeds = f1.query(
            f"method == 'random' and suite == 'quiz' and model == {row.model!r} and "
            f"mask_language == {row.mask_language!r}"
        )["f1"]
        assert row.null_p == pytest.approx((1 + (seeds >= row.f1).sum()) / 4)
        assert row.null_p_holm == 1, "0.25 at least, of four masks"
    without = f1[f1["method"] != "random"].assign(null_p=np.nan)
    with pytest.raises(ResultsError, match="no random mask set"):
        null_distribution(without, LABELS, suite="quiz")
