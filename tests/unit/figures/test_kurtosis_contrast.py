"""Every neuron is drawn, and the chosen ones are counted."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.kurtosis_contrast import MAX_LAYERS, kurtosis_contrast
from crane.results.labels import Labels, ResultsError
from support.published_results import LANGUAGES

WIDTH = 64


LABELS = Labels(LANGUAGES)


def kurtosis(layers: int) -> pd.DataFrame:
    """Return z-scores of three languages with heavy tails, one neuron without a kurtosis in layer 0."""
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"language": code, "layer": layer, "site": "intermediate", "neuron": range(WIDTH)})
        for code in LANGUAGES
        for layer in range(layers)
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame["z"] = rng.standard_t(2, len(frame))
    frame.loc[0, "z"] = np.nan
    return frame


def by_layer(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables as the rule reads them: one per layer, by the name of its file."""
    return {f"layer-{layer}": table for layer, table in frame.groupby("layer")}


def test_kurtosis_contrast_draws_every_neuron_and_counts_the_chosen():
    frame = kurtosis(4)
    figure = kurtosis_contrast(by_layer(frame), LABELS, threshold=1.0)
    z = frame.pivot(index=["layer", "neuron"], columns="language", values="z").dropna()
    panels = iter(figure.axes)
    for code in LANGUAGES:
        others = z.drop(columns=code).max(axis=1)
        chosen = z[(z[code] > 1) & (others < 1)]
        for layer in range(4):
            rest, coloured = next(panels).collections
            assert len(rest.get_offsets()) + len(coloured.get_offsets()) == WIDTH - (layer == 0)
            expected = chosen.loc[[layer], code] if layer in chosen.index else []
            np.testing.assert_array_equal(coloured.get_offsets()[:, 0], expected)
            assert rest.get_rasterized() and coloured.get_rasterized()
    assert f"{len(chosen.loc[[3]])} of {WIDTH}" == figure.axes[-1].get_title()


def test_kurtosis_contrast_colours_the_given_neurons_and_chooses_layers():
    selected = pd.DataFrame(
        {"language": "vi", "layer": [0, 31, 31], "site": "intermediate", "neuron": [3, 4, 5]}
    )
    figure = kurtosis_contrast(by_layer(kurtosis(32)), LABELS, threshold=1.0, masks=selected)
    assert len(figure.axes) == 3 * MAX_LAYERS
    drawn = np.array([len(axes.collections[1].get_offsets()) for axes in figure.axes]).reshape(3, -1)
    np.testing.assert_array_equal(drawn.sum(axis=1), [0, 3, 0])
    assert "8 of 32 layers" in figure.get_supxlabel()
    with pytest.raises(ResultsError, match=r"two languages or more.*found en, vi, zh"):
        kurtosis_contrast(by_layer(kurtosis(4)), Labels({"en": "English", "fr": "French"}), threshold=1.0)
