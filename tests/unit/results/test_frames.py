"""The rows that tables and figures show, in the order in which they show them, with their seeds averaged."""

import pandas as pd
import pytest
from crane.results.frames import f1_rows, score_rows, seed_means
from crane.results.labels import Labels
from support.published_results import BASE, BENCHMARKS, LANGUAGES, MODELS, labels, study


def test_order_is_the_mappings_whatever_the_order_of_the_results():
    """Mask sets, languages and benchmarks stand as `Labels` has them; the rows of the frames may come in any order."""
    languages = {code: LANGUAGES[code] for code in ("zh", "en", "vi")}
    benchmarks = {name: BENCHMARKS[name] for name in reversed(BENCHMARKS)}
    chosen = Labels(languages, labels("random", "lape", "crane").mask_sets, benchmarks, MODELS)
    scores, f1 = (frame.sample(frac=1, random_state=3) for frame in study())
    rows, effects = score_rows(scores, chosen, [BASE], "exam"), f1_rows(f1, chosen, [BASE], "exam")
    assert list(dict.fromkeys(rows["label"])) == ["original", "random", "lape", "crane"]
    assert list(effects["mask_language"]) == ["zh", "en", "vi"] * 3
    assert list(rows["benchmark"][:3]) == ["belebele_vi", "ceval", "mmlu"]
    ordered = score_rows(study()[0], chosen, [BASE], "exam")
    pd.testing.assert_frame_equal(rows, ordered[rows.columns])


def test_seeds_of_d_are_one_row_with_their_mean_and_range():
    frame = pd.DataFrame({
        "model": "base", "label": ["crane", "random", "random"], "mask_language": "en", "suite": "quiz",
        "d": [0.2, 0.01, -0.03], "d_low": [0.1, -0.02, -0.06], "d_high": [0.3, 0.04, 0.0], "d_language": "zh",
    })  # fmt: skip
    rows = seed_means(frame).set_index("label")
    assert rows.loc["crane", ["d", "d_low", "d_high", "interval"]].tolist() == [0.2, 0.1, 0.3, "bootstrap"]
    assert rows.loc["random", ["d", "d_low", "d_high"]].tolist() == pytest.approx([-0.01, -0.03, 0.01])
    assert rows.loc["random", "interval"] == "seeds"
    assert rows.loc["random", "d_sd"] == pytest.approx(0.04 / 2**0.5) and pd.isna(rows.loc["crane", "d_sd"])


def test_a_pair_of_languages_is_a_row_of_its_own():
    frame = pd.DataFrame({
        "model": "base", "label": "random", "suite": "quiz", "first": ["en", "en", "zh", "zh"], "second": "vi",
        "difference": [0.1, 0.3, 0.0, -0.2],
    })  # fmt: skip
    rows = seed_means(frame).set_index("first")
    assert rows["difference"].to_dict() == pytest.approx({"en": 0.2, "zh": -0.1})
