"""The table of masked neurons has every mask, in ranges of layers where the model is deep."""

import numpy as np
import pandas as pd
import pytest
from crane.names import TABLE_FORMS
from crane.results.labels import ResultsError
from crane.results.null_shares import null_shares
from crane.tables.mask_counts import LAYER_COLUMNS, mask_counts
from crane.tables.rendering import render
from support.published_results import EVERY, LANGUAGES


@pytest.mark.parametrize("layers", [4, 30])
def test_every_neuron_is_counted_once(layers: int):
    rng = np.random.default_rng(0)

    def mask(count: int) -> pd.DataFrame:
        columns = {"layer": [layers - 1, *rng.integers(0, layers, count - 1)], "site": "intermediate"}
        return pd.concat(pd.DataFrame({"language": code, **columns}) for code in LANGUAGES)

    masks = {"lape": mask(50), "crane": mask(70), "random-0": mask(70), "random-1": mask(70)}
    summaries = {"crane": {code: {"asked": 80 if code == "vi" else 70} for code in LANGUAGES}, "lape": {}}
    built = mask_counts(masks, summaries, EVERY, layers=layers, shards=2)
    assert len(built.tidy) == 3 * 3 * layers
    assert built.tidy.groupby("mask_set")["neurons"].sum().to_dict() == {
        "lape": 150,
        "crane": 210,
        "random": 210,
    }
    crane = ["70 of 80" if code == "vi" else "70" for code in LANGUAGES]
    assert built.cells["", "Neurons"].tolist() == [*["50"] * 3, *crane, *["70"] * 3]
    assert len(built.cells.columns) <= 3 + LAYER_COLUMNS
    with pytest.raises(ResultsError, match="no file for mask set 'random'"):
        mask_counts(
            {"lape": masks["lape"], "crane": masks["crane"]}, summaries, EVERY, layers=layers, shards=2
        )


def masks() -> dict[str, pd.DataFrame]:
    """Return masks of 10 neurons in one layer."""
    one = pd.DataFrame({"layer": 0, "site": "intermediate", "neuron": range(10)})
    every = pd.concat(one.assign(language=code) for code in LANGUAGES)
    return dict.fromkeys(("lape", "crane", "random-0"), every)


def null() -> pd.DataFrame:
    """Return a null in three groups of 333 or 334 samples; LAPE selects nothing in Vietnamese."""
    rows = []
    for group, samples in enumerate((333, 333, 334)):
        for code in LANGUAGES:
            rows.append(("crane", code, str(group), samples, 80 + group, 5, 40 + 2 * group))
            rows.append(("lape", code, str(group), samples, 0 if code == "vi" else 5, 9, 0))
    columns = ["mask_set", "mask_language", "group", "samples", "observed", "identical", "expected"]
    return pd.DataFrame(rows, columns=columns)


def test_the_null_stands_beside_the_counts() -> None:
    built = mask_counts(masks(), {}, EVERY, layers=1, shards=6, selection_null=null())
    cells = built.cells.set_index([("", "Method"), ("", "Mask")])["Selection null"]
    names = EVERY.mask_sets
    assert cells.loc[(names["crane"], "en")].tolist() == ["42 / 81", "51.9%"]
    assert cells.loc[(names["lape"], "en")].tolist() == ["0 / 5", "0.0%"]
    assert cells.loc[(names["lape"], "vi")].tolist() == ["0 / 0", "–"], "0 / 0 is no share"
    assert cells.loc[(names["random"], "en")].tolist() == ["–", "–"], "random sets follow no rule"
    tidy = built.tidy.set_index(["mask_set", "language"])
    assert tidy.loc[("crane", "en"), ["null_expected", "null_observed"]].tolist() == [42, 81]
    assert tidy.loc[("lape", "en"), "null_identical"] == 9
    assert np.isnan(tidy.loc[("random", "en"), "null_share"])
    notes = " ".join(built.notes)
    for said in ("3 groups of 333 to 334 samples", "budgets, LAPE", "–: not repeated (random"):
        assert said in notes
    for form in TABLE_FORMS:
        assert form == "csv" or "42 / 81" in render(built, "mask_counts", form)


def test_the_share_is_that_of_the_sums() -> None:
    """Not the mean of the groups' shares, which a group with few neurons would rule."""
    uneven = pd.DataFrame(
        [("crane", "en", "1", 9, 90, 0, 9), ("crane", "en", "2", 9, 10, 0, 9)],
        columns=["mask_set", "mask_language", "group", "samples", "observed", "identical", "expected"],
    )
    assert null_shares(uneven).loc[("crane", "en"), "share"] == pytest.approx(18 / 100)


def test_too_few_shards_are_said_to_be_the_reason() -> None:
    few = mask_counts(masks(), {}, EVERY, layers=1, shards=2)
    assert "Selection null" not in few.cells and not any("null" in column for column in few.tidy)
    assert any("2 shards per language (corpora.shards)" in note and "(3)" in note for note in few.notes)
    enough = mask_counts(masks(), {}, EVERY, layers=1, shards=3)
    assert not any("null" in note for note in enough.notes), "no rule selects these masks"
