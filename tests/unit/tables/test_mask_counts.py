"""The table of masked neurons has every mask, in ranges of layers where the model is deep."""

import numpy as np
import pandas as pd
import pytest
from crane.results.labels import ResultsError
from crane.tables.mask_counts import LAYER_COLUMNS, mask_counts
from support.published_results import EVERY, LANGUAGES


@pytest.mark.parametrize("layers", [4, 30])
def test_every_neuron_is_counted_once(layers: int):
    rng = np.random.default_rng(0)

    def mask(count: int) -> pd.DataFrame:
        columns = {"layer": [layers - 1, *rng.integers(0, layers, count - 1)], "site": "intermediate"}
        return pd.concat(pd.DataFrame({"language": code, **columns}) for code in LANGUAGES)

    masks = {"lape": mask(50), "crane": mask(70), "random-0": mask(70), "random-1": mask(70)}
    summaries = {"crane": {code: {"asked": 80 if code == "vi" else 70} for code in LANGUAGES}, "lape": {}}
    built = mask_counts(masks, summaries, EVERY, layers=layers)
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
        mask_counts({"lape": masks["lape"], "crane": masks["crane"]}, summaries, EVERY, layers=layers)
