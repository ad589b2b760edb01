"""The figures of stability draw what was measured."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.stability import mask_layers, overlap_figure, stability_figure
from crane.selection.stability import overlap
from support import stability_results
from support.stability_results import GROUPS, LABELS, LANGUAGES, WIDTH
from torch import tensor


@pytest.fixture(scope="module")
def masks():
    return stability_results.masks()


@pytest.fixture(scope="module")
def measured():
    return stability_results.measured()


def test_the_overlap_figure_shows_every_pair(masks):
    pairs = overlap(masks, GROUPS, WIDTH)
    values = pairs.set_index(["label", "mask_language", "other_label", "other_language"])["jaccard"]
    figure = overlap_figure(pairs, LABELS)
    drawn = figure.axes[0].images[0].get_array()
    assert drawn[0, 3] == pytest.approx(values["crane", "en", "random", "zh"])
    assert drawn.mask.diagonal().all() and len(figure.axes[0].texts) >= 12


def test_the_figures_draw_what_was_measured(measured):
    methods = {"crane": "crane", "random": "random"}
    halved = measured.assign(split_half=[0.25, 0.5, *[np.nan] * 4], by_chance=0.05)
    left, right = stability_figure(halved, LABELS, methods=methods, shards=2).axes
    assert [bar.get_width() for bar in left.patches] == [0.25, 0.5, 0, 0]
    assert [bar.get_width() for bar in right.patches] == [0.5] * 4
    assert [text.get_text() for text in left.texts] == ["0.25", "0.50", "none", "none"]
    assert "no halves" in stability_figure(measured, LABELS, methods=methods, shards=1).axes[0].get_xlabel()
    masks = {
        name: pd.DataFrame([(code, layer) for code in LANGUAGES for layer in (0, 0, 0, 1, 1)],
                           columns=["language", "layer"])
        for name in GROUPS
    }  # fmt: skip
    panels = mask_layers(masks, LABELS, layers=2, methods=methods).axes
    assert panels[0].lines[1].get_ydata().tolist() == [3 / 5, 2 / 5]
    assert tensor(panels[0].lines[0].get_ydata()).tolist() == [0.5, 0.5]
