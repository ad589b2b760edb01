"""Looks belong to mask sets; a figure drawn twice is the same file."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from crane.figures.style import BLACK, COLOURS, GREY, MARKERS, looks, save
from crane.figures.transfer import transfer
from crane.results.labels import Labels, ResultsError
from support.published_results import EVERY, LANGUAGES, labels, published, study


def test_a_mask_set_keeps_its_look_whatever_the_order_of_the_results():
    _, f1 = study()
    look = looks(EVERY, f1)
    assert look == looks(EVERY, f1.sample(frac=1, random_state=1))
    assert [look[label][0] for label in EVERY.mask_sets] == [*COLOURS[:2], GREY]
    all_neurons = f1[f1["label"] == "lape"].assign(method="all")
    look = looks(EVERY, pd.concat([all_neurons, f1[f1["label"] != "lape"]]))
    assert [look[label][0] for label in EVERY.mask_sets] == [BLACK, COLOURS[0], GREY]
    most = len(COLOURS) * len(MARKERS)
    named = Labels(LANGUAGES, {f"set{i}": str(i) for i in range(most)})
    assert len(set(looks(named, f1.head(0)).values())) == most
    crowd = Labels(LANGUAGES, {f"set{i}": str(i) for i in range(most + 1)})
    with pytest.raises(ResultsError, match=f"{most + 1} mask sets"):
        looks(crowd, f1)


def test_two_runs_write_the_same_bytes_and_change_no_setting(tmp_path: Path):
    before = dict(mpl.rcParams)
    scores, _ = published()
    for run in ("first", "second"):
        figure = transfer(scores, labels("lape", "crane"), suite="exam")
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
