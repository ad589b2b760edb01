"""Mask sets: what they say that other mask sets or sections contradict, and what their methods do not know."""

from typing import Any

import pytest
from crane.study.check import check
from support.study_config import REMOVE, changed, messages


def test_sets_that_match_each_other_in_a_circle_are_reported(config: dict[str, Any]) -> None:
    circle = {"label": "C", "method": "lape_matched", "filter_rate": 0.9, "activation_bar_ratio": 0.9}
    wrong = changed(
        config,
        mask_sets__a={**circle, "match": "b"},
        mask_sets__b={**circle, "match": "a"},
        sweeps__budget__mask_sets=["a"],
    )
    assert any("mask_sets.a.match: 'b' is itself matched" in line for line in messages(wrong))


TERNARY = {
    "label": "T",
    "method": "ternary",
    "kind": "any",
    "weight": 0.1,
    "top_rate": 0.01,
    "activation_bar_ratio": 0.95,
}
ACTIVATION = {
    "label": "A",
    "method": "activation",
    "normalise": "layer",
    "rule": "margin",
    "budget": {"count": 3},
}


def test_activations_are_counted_inside_the_mlp_alone(config: dict[str, Any]) -> None:
    often, strongly = ({**ACTIVATION, "statistic": name} for name in ("probability", "mean_value"))
    sets = {"often": often, "strongly": strongly, "entropy": {**TERNARY, "budget": {"match": "strongly"}}}
    sets["random"] = {**config["mask_sets"]["random"], "match": "entropy"}
    alone = changed(
        config, mask_sets=sets, sweeps=REMOVE, published=REMOVE, perplexity=REMOVE, calibration=REMOVE
    )
    check(alone)
    (one, other) = messages(changed(alone, relevance__site="residual_write"))
    assert "mask_sets.often.method: 'activation' counts activations" in one
    assert "mask_sets.entropy.method: 'ternary' counts activations" in other


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({**ACTIVATION, "statistic": "std"}, "mask_sets.a.statistic"),
        (
            {**ACTIVATION, "statistic": "probability", "relevance": "x"},
            "mask_sets.a.relevance: has no meaning with method: activation",
        ),
        ({**TERNARY, "weight": "automatic"}, "mask_sets.a.weight"),
        ({**TERNARY, "weight": -1}, "mask_sets.a.weight"),
        ({**TERNARY, "kind": "own"}, "mask_sets.a.kind"),
        ({key: value for key, value in TERNARY.items() if key != "kind"}, "mask_sets.a: missing key kind"),
    ],
)
def test_what_these_methods_do_not_know_is_told(
    config: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    lines = messages(changed(config, mask_sets__a=wrong))
    assert len(lines) == 1 and said in lines[0]


@pytest.mark.parametrize("matching", ["lape_matched", "random"])
def test_nothing_can_be_matched_to_all_neurons(config: dict[str, Any], matching: str) -> None:
    wrong = changed(
        config, mask_sets__a={"label": "A", "method": "all"}, **{f"mask_sets__{matching}__match": "a"}
    )
    assert f"mask_sets.{matching}.match: 'a' has all neurons" in " ".join(messages(wrong))
    budget = changed(
        config, mask_sets__a={"label": "A", "method": "all"}, mask_sets__crane__budget={"match": "a"}
    )
    assert "mask_sets.crane.budget.match: 'a' has all neurons" in " ".join(messages(budget))
