"""Interventions: what they need, what has no meaning, and where engine or site cannot make them."""

from typing import Any

import pytest
from crane.study.check import check
from support.study_config import REMOVE, changed, messages

STEER = {
    "deactivate": {"languages": ["own"], "op": "set", "number": -1},
    "activate": {"language": "en", "op": "add", "source": "mean"},
}


@pytest.mark.parametrize(
    "given",
    [
        {"op": "zero"},
        {"op": "zero", "site": "gate"},
        {"op": "scale", "factor": -0.1},
        {"op": "set", "number": 0},
        {"op": "set", "site": "gate", "source": "mean", "of": "others"},
        {"op": "add", "source": "diffmean", "of": "vi", "factor": 2},
        {"steer": STEER},
        {"steer": {**STEER, "site": "gate", "deactivate": {"languages": ["zh", "others"], "op": "zero"}}},
    ],
)
def test_what_an_intervention_can_be(config: dict[str, Any], given: dict[str, Any]) -> None:
    check(changed(config, mask_sets__lape__intervention=given))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, ": needs exactly one of: scale, mean, resample, op, steer (found: none)"),
        ({"scale": 0.5, "op": "zero"}, "(found: scale, op)"),
        ({"mean": True, "site": "gate"}, ".site: belongs to op"),
        ({"scale": 0.5, "factor": 2}, ".factor: has no meaning without op"),
        ({"op": "zero", "number": 1}, ".number: has no meaning with op: zero"),
        ({"op": "scale"}, ".factor: missing; op: scale multiplies by it"),
        ({"op": "scale", "factor": 2, "of": "own"}, ".of: has no meaning with op: scale"),
        ({"op": "set"}, ": op: set needs exactly one of: number, source"),
        ({"op": "add", "number": 1, "source": "mean"}, ": op: add needs exactly one of"),
        ({"op": "add", "number": 1, "of": "own"}, ".of: says whose mean"),
        ({"op": "add", "source": "diffmean", "of": "pooled"}, ".of: diffmean compares one language"),
        ({"op": "set", "source": "mean", "of": "fr"}, ".of: 'fr' is not a language of this study"),
        ({"op": "set", "source": "max"}, ".source: 'max'"),
        ({"op": "noise"}, ".op: 'noise'"),
        ({"steer": {**STEER, "deactivate": {"languages": ["own"], "op": "set"}}}, "deactivate: op: set needs number"),
        ({"steer": {**STEER, "deactivate": {"languages": ["x"], "op": "zero"}}}, "deactivate.languages: 'x' is not"),
        (
            {"steer": {**STEER, "activate": {**STEER["activate"], "language": "others"}}},
            "activate.language: 'others' is not",
        ),
        ({"steer": {"activate": STEER["activate"]}}, "steer: missing key deactivate"),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_told_in_one_line(
    config: dict[str, Any], given: dict[str, Any], said: str
) -> None:
    (line,) = messages(changed(config, mask_sets__lape__intervention=given))
    assert line.strip().startswith("mask_sets.lape.intervention") and said in line


@pytest.mark.parametrize(
    "given", [{"op": "set", "number": 1, "site": "gate"}, {"steer": {**STEER, "site": "gate"}}]
)
def test_gates_are_refused_where_nothing_can_change_them(
    config: dict[str, Any], given: dict[str, Any]
) -> None:
    key = "steer.site" if "steer" in given else "site"
    gate = changed(config, mask_sets__lape__intervention=given, sweeps=REMOVE)
    check(gate)
    (line,) = messages(changed(gate, engine="vllm"))
    assert line.strip().startswith(f"mask_sets.lape.intervention.{key}: engine vllm computes gate and neuron")
    alone = {"crane": {**config["mask_sets"]["crane"], "intervention": given}}
    other = changed(
        gate, mask_sets=alone, published=REMOVE, perplexity=REMOVE, calibration=REMOVE,
        relevance__site="residual_write",
    )  # fmt: skip
    (line,) = messages(other)
    assert line.strip().startswith(
        f"mask_sets.crane.intervention.{key}: relevance.site residual_write has no gates"
    )


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"op": "set", "source": "median", "site": "gate"}, "source"),
        ({"steer": {**STEER, "site": "gate", "activate": {**STEER["activate"], "source": "median"}}},
         "steer.activate.source"),
    ],
)  # fmt: skip
def test_medians_of_gates_are_not_measured(config: dict[str, Any], given: dict[str, Any], key: str) -> None:
    (line,) = messages(changed(config, mask_sets__lape__intervention=given, sweeps=REMOVE))
    assert line.strip().startswith(f"mask_sets.lape.intervention.{key}: medians are measured of the values")


@pytest.mark.parametrize(
    "given", [{"op": "zero", "site": "gate"}, {"op": "scale", "factor": 2, "site": "gate"},
              {"op": "set", "number": 1}, {"steer": STEER}],
)  # fmt: skip
def test_what_values_can_do_is_possible_in_vllm(config: dict[str, Any], given: dict[str, Any]) -> None:
    check(changed(config, mask_sets__lape__intervention=given, engine="vllm", sweeps=REMOVE))
