"""The figure of steering draws the shares, and bars that end at 1."""

import numpy as np
from crane.figures.steering import steering_figure
from crane.results.labels import Labels
from crane.scores.steering import KINDS
from support.steering_results import drawn_steering

LABELS = Labels({"en": "English", "zh": "Chinese"}, {"crane": "CRANE"})
PAIRS = [["en", "zh"], ["zh", "en"]]


def test_bars_are_the_shares_in_their_order() -> None:
    results = drawn_steering(PAIRS, {"crane": ("crane", "crane")})
    panels = steering_figure(results, LABELS, how="zero").axes
    assert [axes.get_title(loc="left") for axes in panels] == ["en → zh, n = 40", "zh → en, n = 40"]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["Original", "CRANE"]
    for axes, (asked, _) in zip(panels, PAIRS, strict=True):
        here = results[results["asked"] == asked]
        widths = np.array([bar.get_width() for bar in axes.patches]).reshape(2, len(KINDS))
        np.testing.assert_allclose(widths, here[[f"{kind}_share" for kind in KINDS]].to_numpy())
        ends = [axes.patches[place].get_x() + axes.patches[place].get_width() for place in (3, 7)]
        np.testing.assert_allclose(ends, 1)
        intervals = [tuple(line.get_segments()[0][:, 0]) for line in axes.collections]
        np.testing.assert_allclose(intervals, here[["target_low", "target_high"]].to_numpy())
