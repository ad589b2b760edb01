"""Steering in the reduced demo study, run for real: its numbers follow from answers and texts, and from the model."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from crane.artefacts import read_table
from crane.judging.answer_language import LanguageIdentifier
from crane.models.architectures import mlps
from crane.models.loading import load_model
from crane.names import ORIGINAL
from crane.neurons.neuron_set import NeuronSet
from crane.scores.steering import KINDS
from support.reduced_study import LANGUAGES
from support.workspace import Workspace

PAIRS = [("en", "zh"), ("vi", "en")]
SETS = [ORIGINAL, "dispersion", "random-0", "random-1"]
pytestmark = pytest.mark.slow


def steered(study: Workspace, kind: str) -> pd.DataFrame:
    """Return the results of all groups."""
    groups = (ORIGINAL, "dispersion", "random")
    return pd.concat(
        read_table(study.results / "steering" / "base" / group / f"{kind}.parquet") for group in groups
    )


def test_shares_follow_from_the_answers(study: Workspace) -> None:
    table = read_table(study.results / "steering.parquet").set_index(["mask_set", "asked", "target"])
    assert list(table.index) == [(mask_set, *pair) for mask_set, pair in product(SETS, PAIRS)]
    answers, identify = steered(study, "answers"), LanguageIdentifier(LANGUAGES)
    for mask_set, asked, target in table.index:
        here = answers[(answers["mask_set"] == mask_set) & (answers["asked"] == asked)]
        if mask_set != ORIGINAL:
            here = here[here["target"] == target]
        row = table.loc[(mask_set, asked, target)]
        found = [identify(text, asked) for text in here["output"]]
        assert row["n"] == len(found) == 8
        assert row["target_share"] == found.count(target) / 8 and row["asked_share"] == found.count(asked) / 8
        assert row["undecided_share"] == found.count(None) / 8
        assert row[[f"{kind}_share" for kind in KINDS]].sum() == pytest.approx(1)
    assert table.xs("dispersion")["known"].between(1, 8).all(), "the demo's questions are parallel"


def test_the_unmasked_model_answers_as_everywhere(study: Workspace) -> None:
    plain = read_table(study.results / "evaluations" / "base" / ORIGINAL / "open.parquet")
    answers = steered(study, "answers")
    answers = answers[answers["mask_set"] == ORIGINAL]
    for asked in ("en", "vi"):
        expected = plain[plain["language"] == asked].set_index("question_id")["output"]
        found = answers[answers["asked"] == asked].set_index("question_id")["output"]
        assert found.equals(expected)


@torch.no_grad()
def test_a_steered_text_is_that_of_hooks_by_hand(study: Workspace) -> None:
    """Zero the neurons of Vietnamese, then add twice the mean of English to those of English."""
    model = load_model(study.results / "models" / "base", "float32", "cpu")
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    handles = []
    for layer, mlp in enumerate(mlps(model)):
        table = read_table(study.results / "kurtosis" / "base" / f"layer-{layer}.parquet")
        mean = table[table["language"] == "en"].sort_values("neuron")["mean_value"].to_numpy()
        off, on = neurons["vi"].get(layer, []), neurons["en"].get(layer, [])

        def steer(values: torch.Tensor, off=off, on=on, mean=mean) -> torch.Tensor:  # type: ignore[no-untyped-def]
            values = values.clone()
            values[..., off] = 0
            values[..., on] += 2 * torch.as_tensor(mean[on]).float()
            return values

        handles.append(mlp.at_site("intermediate", steer))
    texts = steered(study, "texts")
    texts = texts[
        (texts["mask_set"] == "dispersion") & (texts["asked"] == "vi") & (texts["language"] == "zh")
    ]
    held_out = read_table(study.results / "held_out" / "base" / "zh.parquet")
    assert len(texts) == 5
    for row in texts.itertuples():
        ids = torch.tensor([held_out.set_index("sample_id").loc[row.sample_id, "input_ids"].tolist()])
        scores = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        expected = float(scores.gather(1, ids[0, 1:, None]).sum())
        assert row.log_likelihood == pytest.approx(expected, abs=1e-3)
    for handle in handles:
        handle.remove()
    ids = torch.tensor([held_out["input_ids"].iloc[0].tolist()])
    plain = model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]).sum()
    assert abs(float(plain) - texts["log_likelihood"].iloc[0]) > 0.1


def test_table_and_figure_are_there(study: Workspace) -> None:
    table = pd.read_csv(study.results / "tables" / "steering.csv")
    assert len(table) == 3 * len(PAIRS) and set(table["mask_set"]) == {ORIGINAL, "dispersion", "random"}
    ends = table[["target_low", "target_share", "target_high"]].to_numpy()
    assert (np.diff(ends, axis=1) >= -1e-9).all()
    assert (study.results / "figures" / "steering.png").stat().st_size > 1000
