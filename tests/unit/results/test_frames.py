"""The rows that tables and figures show, in the order in which they show them."""

import pandas as pd
from crane.results.frames import f1_rows, score_rows
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
