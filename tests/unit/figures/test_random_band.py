"""What a figure draws is what the frame holds; a figure drawn twice is the same file."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from crane.figures.drops import drop_heatmap
from crane.figures.kurtosis_contrast import MAX_LAYERS, kurtosis_contrast
from crane.figures.random_band import random_band
from crane.figures.style import COLOURS, GREY, Style, looks, save
from crane.figures.transfer import transfer
from crane.results.labels import Labels, ResultsError
from crane.scores.null_distribution import COLUMNS, against_random
from test_tables import BASE, CHAT, LANGUAGES, labels, published, study

WIDTH = 64
EVERY = labels("lape", "crane", "random")


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


def test_kurtosis_contrast_draws_every_neuron_and_counts_the_chosen():
    frame = kurtosis(4)
    figure = kurtosis_contrast(frame, 1.0, LANGUAGES)
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
    figure = kurtosis_contrast(kurtosis(32), 1.0, LANGUAGES, selected)
    assert len(figure.axes) == 3 * MAX_LAYERS
    drawn = np.array([len(axes.collections[1].get_offsets()) for axes in figure.axes]).reshape(3, -1)
    np.testing.assert_array_equal(drawn.sum(axis=1), [0, 3, 0])
    assert "8 of 32 layers" in figure.get_supxlabel()
    with pytest.raises(ResultsError, match=r"two languages or more.*found en, vi, zh"):
        kurtosis_contrast(kurtosis(4), 1.0, {"en": "English", "fr": "French"})


@pytest.mark.parametrize("suite", ["exam", "open"])
def test_heatmap_equals_the_drops(suite: str):
    scores, f1 = published()
    figure = drop_heatmap(scores, f1, EVERY, BASE, suite)
    heat, bars = figure.axes[:2]
    benchmarks = EVERY.benchmarks_of(suite)
    drops = scores[(scores["model"] == BASE) & (scores["suite"] == suite)].pivot(
        index=["method", "mask_language"], columns="benchmark", values="drop"
    )
    order = pd.MultiIndex.from_product([EVERY.mask_sets, LANGUAGES])
    np.testing.assert_allclose(heat.images[0].get_array(), drops.loc[order, benchmarks])
    lowest, highest = heat.images[0].get_clim()
    assert lowest == -highest
    expected = f1[(f1["model"] == BASE) & (f1["suite"] == suite)].set_index(["method", "mask_language"])["f1"]
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], expected.loc[order])
    framed = [frame.get_xy() for frame in heat.patches]
    targets = [EVERY.benchmarks[name]["language"] for name in benchmarks]
    assert [round(x + 0.48) for x, _ in framed] == [targets.index(code) for _, code in order]


def test_transfer_draws_base_and_chat_under_the_benchmarks_own_mask():
    scores, _ = published()
    figure = transfer(scores, labels("lape", "crane"), "exam")
    assert len(figure.axes) == 3
    scored = scores.set_index(["model", "method", "mask_language", "benchmark"])["score"]
    for axes, (benchmark, code) in zip(
        figure.axes, {"mmlu": "en", "ceval": "zh", "belebele_vi": "vi"}.items(), strict=True
    ):
        for line, (method, mask) in zip(
            axes.lines, [("original", "none"), ("lape", code), ("crane", code)], strict=True
        ):
            expected = [scored[model, method, mask, benchmark] for model in (BASE, CHAT)]
            np.testing.assert_allclose(line.get_ydata(), expected)


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
    chosen = Labels(LANGUAGES, EVERY.benchmarks, sets, {BASE: "Base"})
    figure = random_band(f1, chosen, "exam")
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
    column = random_band(f1, chosen, "exam", Style(width=3.3))
    assert [axes.get_title(loc="right") for axes in column.axes] == [
        f"Base: {name}, n = 120" for name in LANGUAGES.values()
    ]
    with pytest.raises(ResultsError, match="none of the mask sets lape, crane is random"):
        random_band(f1[f1["method"] != "random"], labels("lape", "crane"), "exam")


def test_a_mask_set_keeps_its_look_whatever_the_order_of_the_results():
    _, f1 = study()
    look = looks(EVERY, f1)
    assert look == looks(EVERY, f1.sample(frac=1, random_state=1))
    assert [look[label][0] for label in EVERY.mask_sets] == [*COLOURS[:2], GREY]
    crowd = Labels(LANGUAGES, EVERY.benchmarks, {f"set{i}": str(i) for i in range(37)}, {})
    with pytest.raises(ResultsError, match="37 mask sets"):
        looks(crowd, f1)


def test_what_is_missing_is_named():
    scores, f1 = published()
    with pytest.raises(ResultsError, match="scores: no row for model 'llama2-7b-chat', label 'random'"):
        transfer(scores, EVERY, "exam")
    with pytest.raises(ResultsError, match="benchmark 'mmlu'"):
        drop_heatmap(scores[scores["benchmark"] != "mmlu"], f1, EVERY, BASE, "exam")


def test_two_runs_write_the_same_bytes_and_change_no_setting(tmp_path: Path):
    before = dict(mpl.rcParams)
    scores, _ = published()
    for run in ("first", "second"):
        figure = transfer(scores, labels("lape", "crane"), "exam")
        save(figure, tmp_path / f"{run}.pdf", tmp_path / f"{run}.png")
    for ending in ("pdf", "png"):
        assert (tmp_path / f"first.{ending}").read_bytes() == (tmp_path / f"second.{ending}").read_bytes()
    assert b"/FontFile2" in (tmp_path / "first.pdf").read_bytes()
    assert dict(mpl.rcParams) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "first.pdf",
        "first.png",
        "second.pdf",
        "second.png",
    ]
