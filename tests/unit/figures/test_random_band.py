"""Each mask is shown beside its own random sets."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.random_band import random_band
from crane.figures.style import Style
from crane.results.labels import Labels, ResultsError
from crane.scores.null_distribution import COLUMNS, against_random
from support.published_results import BASE, EVERY, LANGUAGES, labels, study


def test_random_band_shows_each_mask_its_own_random_sets():
    _, f1 = study()
    f1["questions"] = 120
    # `lape` has other layers; a second random set is drawn from those.
    wide = f1[f1["method"] == "random"].copy()
    wide["mask_set"] = wide["mask_set"].str.replace("random", "wide")
    wide = wide.assign(label="wide", f1=wide["f1"] / 2)
    f1 = pd.concat([f1, wide], ignore_index=True)
    of_lape = {name: name.startswith(("lape", "wide")) for name in f1["mask_set"]}
    layers = {name: {key: [2 if own else 1] for key in LANGUAGES} for name, own in of_lape.items()}
    f1[COLUMNS] = against_random(f1, layers)
    sets = {**EVERY.mask_sets, "wide": "Random as LAPE"}
    chosen = Labels(LANGUAGES, sets, EVERY.benchmarks, {BASE: "Base"})
    figure = random_band(f1, chosen, suite="exam")
    for axes, (code, language) in zip(figure.axes, LANGUAGES.items(), strict=True):
        here = f1.query(f"suite == 'exam' and mask_language == '{code}'")
        seeds = {label: rows["f1"] for label, rows in here[here["method"] == "random"].groupby("label")}
        bands = [
            band.get_datalim(axes.transData) for band in axes.collections if hasattr(band, "get_datalim")
        ]
        grey = [(box.x0, box.x1) for box in bands if box.height > 0.9]
        order = {"lape": "wide", "crane": "random", "random": "random", "wide": "wide"}
        expected = [(seeds[order[label]].min(), seeds[order[label]].max()) for label in sets]
        np.testing.assert_allclose(grey, expected)
        null = here.set_index("mask_set")
        shown = [f"{null.null_percentile[name]:.0f}  {null.null_p[name]:.2f}" for name in ("lape", "crane")]
        assert [text.get_text() for text in axes.texts] == [*shown, "%ile  p"]
        assert axes.get_title(loc="left") == f"{language}, n = 120"
        crane = next(line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_ydata()[0] == 1)
        assert crane.get_markerfacecolor() == crane.get_color()
    assert "p is at least 0.25" in figure.get_supxlabel()
    column = random_band(f1, chosen, suite="exam", style=Style(width=3.3))
    assert [axes.get_title(loc="right") for axes in column.axes] == [
        f"Base: {name}, n = 120" for name in LANGUAGES.values()
    ]
    with pytest.raises(ResultsError, match="none of the mask sets lape, crane is random"):
        random_band(f1[f1["method"] != "random"], labels("lape", "crane"), suite="exam")
