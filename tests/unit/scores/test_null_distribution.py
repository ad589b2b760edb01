"""Percentile and p-value among random mask sets, counted by hand."""

import numpy as np
import pandas as pd
import pytest
from crane.scores.null_distribution import COLUMNS, against_random

LAYERS = {
    "crane": {"en": [2, 1]},
    "lape": {"en": [1, 2]},
    "tiny": {"en": [1, 0]},
    "other": {"en": [4, 4]},
    **{f"random-{seed}": {"en": [2, 1]} for seed in range(4)},
    **{f"wide-{seed}": {"en": [4, 4]} for seed in range(2)},
}


METHODS = {"random": "random", "wide": "random", "destroyed": "all"}


def frame(values: dict[str, float], model: str = "base") -> pd.DataFrame:
    rows = []
    for name, f1 in values.items():
        label = name.partition("-")[0]
        method = METHODS.get(label, label)
        rows.append((model, "quiz", name, "en", method, label, f1))
    columns = ["model", "suite", "mask_set", "mask_language", "method", "label", "f1"]
    return pd.DataFrame(rows, columns=columns)


RANDOM = {"random-0": 0.0, "random-1": 0.1, "random-2": 0.1, "random-3": 0.2}


@pytest.mark.parametrize(
    ("f1", "percentile", "p"), [(0.3, 100, 1 / 5), (0.15, 75, 2 / 5), (0.1, 50, 4 / 5), (0.0, 12.5, 1)]
)
def test_percentile_and_p_by_hand(f1: float, percentile: float, p: float):
    found = against_random(frame({"crane": f1, **RANDOM}), LAYERS).iloc[0]
    assert found.tolist() == ["random", "same layers", 4, pytest.approx(0.1), percentile, pytest.approx(p)]


def test_the_likest_random_set_is_the_null():
    values = {"crane": 0.3, "lape": 0.3, "tiny": 0.3, "other": 0.3, **RANDOM, "wide-0": 0.5, "wide-1": 0.1}
    found = against_random(frame(values), LAYERS).iloc[:4]
    assert found["null"].tolist() == ["random", "random", "random", "wide"]
    assert found["null_likeness"].tolist() == ["same layers", "same size", "other size", "same layers"]
    assert found["null_p"].tolist() == pytest.approx([1 / 5, 1 / 5, 1 / 5, 2 / 3])


def test_a_dampened_set_is_not_like_zeroed_random_sets():
    values = {"crane": 0.3, **RANDOM, "wide-0": 0.5, "wide-1": 0.1}
    half = {"scale": 0.5}
    found = against_random(frame(values), LAYERS, {"crane": half}).iloc[0]
    assert found["null_likeness"] == "other intervention"
    alike = {"crane": half, "wide-0": half, "wide-1": half}
    found = against_random(frame(values), LAYERS, alike).iloc[0]
    assert (found["null"], found["null_likeness"]) == ("wide", "other size")


def test_a_mask_without_a_score_has_no_place():
    found = against_random(frame({"crane": float("nan"), **RANDOM}), LAYERS).iloc[0]
    assert found.isna().all()


def test_models_do_not_mix_and_random_sets_have_no_null():
    both = pd.concat(
        [frame({"crane": 0.15, **RANDOM}), frame({"crane": 0.15, **dict.fromkeys(RANDOM, 0.9)}, "chat")],
        ignore_index=True,
    )
    found = against_random(both, LAYERS)
    assert found.loc[[0, 5], "null_p"].tolist() == pytest.approx([2 / 5, 1])
    assert found.drop([0, 5]).isna().all(axis=None) and list(found) == COLUMNS


def test_without_random_sets_nothing_is_said():
    assert against_random(frame({"crane": 0.3}), LAYERS).isna().all(axis=None)


def test_p_is_uniform_under_the_null():
    """A mask like the random ones has p <= k/20 in k/20 of the cases."""
    rng = np.random.default_rng(0)
    p = []
    for _ in range(400):
        draws = rng.random(20)
        values = {"crane": draws[0], **{f"random-{i}": value for i, value in enumerate(draws[1:])}}
        layers = {**LAYERS, **{name: {"en": [2, 1]} for name in values}}
        p.append(against_random(frame(values), layers)["null_p"].iloc[0])
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.05)


def test_the_mask_of_all_neurons_is_no_draw_of_a_null():
    found = against_random(frame({"crane": 0.3, "destroyed": 0.6, **RANDOM}), LAYERS)
    assert found.iloc[1].isna().all() and found.iloc[0]["null_seeds"] == 4
