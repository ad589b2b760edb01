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


ATTRIBUTION = {
    "label": "E", "method": "attribution", "effect": "zero", "normalise": "none", "rule": "margin",
    "budget": {"count": 3},
}  # fmt: skip
AVERAGE = {"label": "A", "method": "average_precision", "estimator": "average_precision", "side": "both"}
OVERLAP = {"label": "O", "method": "overlap"}
PLND = {
    "label": "P", "method": "plnd", "importance": "output", "top": 0.1, "consistency": 1, "remove": "any",
}  # fmt: skip
FIRST_ORDER = {"rules": "input_x_gradient", "objective": "next_token_logprob"}
ENERGY = {"label": "R", "method": "random", "match": "crane", "seeds": 1, "match_on": ["layer", "energy"]}


def test_attribution_needs_the_true_gradient_of_the_log_probability(config: dict[str, Any]) -> None:
    named = changed(config, mask_sets__a={**ATTRIBUTION, "relevance": "logprob"})
    check(changed(named, relevance_variants__logprob=FIRST_ORDER))
    check(changed(config, mask_sets__a=ATTRIBUTION, relevance={**config["relevance"], **FIRST_ORDER}))
    for rejected in (named, changed(config, mask_sets__a=ATTRIBUTION)):
        (line,) = messages(rejected)
        assert "mask_sets.a.relevance: attribution needs a relevance run with rules: input_x_gradient" in line
        assert "not rules: attnlrp" in line and "name one of relevance_variants" in line


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({**PLND, "top": 0.15, "budget": {"count": 3}}, "mask_sets.a.top: 0.15 is not counted"),
        ({**PLND, "top": 0.15, "consistency": 0.9}, "mask_sets.a.top: 0.15 is not counted"),
        ({**PLND, "remove": "none"}, "mask_sets.a.remove"),
        (AVERAGE, "mask_sets.a.budget: missing; the method ranks all neurons"),
        ({**AVERAGE, "budget": {"count": 3}, "side": "left"}, "mask_sets.a.side"),
        ({**OVERLAP, "pair_rate": 0}, "mask_sets.a.pair_rate"),
        (OVERLAP, "mask_sets.a.pair_rate: missing; the published rule needs it"),
        (
            {**OVERLAP, "pair_rate": 0.01, "budget": {"count": 3}},
            "mask_sets.a.pair_rate: has no meaning with a budget",
        ),
        ({**PLND, "consistency": 0}, "mask_sets.a.consistency"),
        ({**ACTIVATION, "statistic": "effect_size"}, "mask_sets.a.normalise: layer moves the 0"),
        (
            {**ACTIVATION, "statistic": "probability", "contrast": "log_ratio", "normalise": "none"},
            "mask_sets.a.contrast: log_ratio is for energy",
        ),
        (
            {**ACTIVATION, "statistic": "energy", "contrast": "log_ratio"},
            "mask_sets.a.contrast: log_ratio needs normalise: none",
        ),
        ({**ENERGY, "match_on": ["energy"]}, "mask_sets.a.match_on: needs layer"),
        ({**ENERGY, "match_on": ["layer", "energy", "magnitude"]}, "are two orders of the neurons"),
    ],
)
def test_what_the_fields_methods_do_not_take_is_told(
    config: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    lines = messages(changed(config, mask_sets__a=wrong))
    assert len(lines) == 1 and said in lines[0]


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (PLND, "method"),
        ({**ACTIVATION, "normalise": "none", "statistic": "effect_size"}, "method"),
        (ENERGY, "match_on"),
    ],
)
def test_energies_and_values_are_those_of_the_inner_neurons(
    config: dict[str, Any], given: dict[str, Any], key: str
) -> None:
    sets = {"crane": config["mask_sets"]["crane"], "a": given}
    alone = changed(
        config, mask_sets=sets, sweeps=REMOVE, published=REMOVE, perplexity=REMOVE, calibration=REMOVE
    )
    check(alone)
    (line,) = messages(changed(alone, relevance__site="residual_write"))
    assert f"mask_sets.a.{key}: needs values of the MLP's inner neurons" in line
