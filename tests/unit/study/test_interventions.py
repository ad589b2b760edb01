"""Interventions in one form, and what they ask of the study."""

from typing import Any

import pytest
from crane.study.interventions import canonical, described, needs_gates, needs_measured
from crane.study.study import Study
from support.study_config import changed

STEER = {
    "deactivate": {"languages": ["own"], "op": "set", "number": -1},
    "activate": {"language": "en", "op": "add", "source": "mean"},
}


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({}, {}),
        ({"scale": 0}, {}),
        ({"scale": 0.5}, {"scale": 0.5}),
        ({"mean": True}, {"mean": True}),
        ({"resample": 3}, {"resample": 3}),
        ({"op": "zero"}, {}),
        ({"op": "zero", "site": "gate"}, {}),
        ({"op": "scale", "factor": 0.5, "site": "gate"}, {"scale": 0.5}),
        ({"op": "set", "source": "mean", "of": "pooled"}, {"mean": True}),
        ({"op": "set", "number": 0}, {"number": 0, "op": "set"}),
        (
            {"source": "mean", "op": "set", "of": "pooled", "site": "gate"},
            {"of": "pooled", "op": "set", "site": "gate", "source": "mean"},
        ),
    ],
)
def test_what_does_the_same_has_one_form(given: dict[str, Any], form: dict[str, Any]) -> None:
    found = canonical(given)
    assert found == form and list(found) == list(form)


def test_steering_without_a_shift_has_no_site() -> None:
    off = {"languages": ["own"], "op": "zero"}
    multiplied = {
        "site": "gate",
        "deactivate": off,
        "activate": {"language": "en", "op": "scale", "factor": 2},
    }
    assert canonical({"steer": multiplied})["steer"]["site"] == "value"
    assert canonical({"steer": {**STEER, "site": "gate"}})["steer"]["site"] == "gate"


def test_means_are_measured_only_if_they_are_used(config: dict[str, Any]) -> None:
    before = Study(config).masks
    assert before.accumulators("") == [] and not before.need_means(before.shown)
    for how, needed, gates in (
        ({"op": "set", "number": 1, "site": "gate"}, False, True),
        ({"op": "add", "source": "mean"}, True, False),
        ({"op": "add", "source": "mean", "site": "gate"}, True, True),
        ({"steer": {**STEER, "site": "gate"}}, True, True),
    ):
        form = canonical(how)
        assert (needs_measured(form), needs_gates(form)) == (needed, needed and gates)
        masks = Study(changed(config, mask_sets__lape__intervention=how)).masks
        assert masks.need_means(["lape"]) == needed and not masks.need_means(["crane"])
        assert masks.change_gates() == gates
        assert masks.accumulators("") == (["values"] if needed and gates else [])


def test_medians_are_of_histograms(config: dict[str, Any]) -> None:
    steer = {**STEER, "activate": {"language": "en", "op": "set", "source": "median"}}
    for how in ({"op": "set", "source": "median"}, {"steer": steer}):
        masks = Study(changed(config, mask_sets__lape__intervention=how)).masks
        assert masks.need_means(["lape"]) and masks.accumulators("") == ["sample_histogram"]
        assert masks.has_histograms("")
    assert (
        described(canonical({"op": "set", "source": "median"}), "dispersion") == "value set to median of own"
    )


def test_labels_say_what_is_changed_and_where_the_authors_do(config: dict[str, Any]) -> None:
    """LAPE's and its successors' code edits the gate, so that a port to the value is another method."""
    assert (
        described(canonical({"op": "set", "source": "mean"}), "lape")
        == "value set to mean of own (published: gate)"
    )
    assert described(canonical({"op": "add", "number": 2, "site": "gate"}), "lape") == "gate + 2"
    assert (
        described(canonical({"op": "add", "number": 2, "site": "gate"}), "crane")
        == "gate + 2 (published: value)"
    )
    assert described(canonical({"op": "add", "number": 2, "factor": 0.5}), "dispersion") == "value + 0.5 × 2"
    assert described(canonical({"op": "zero", "site": "value"}), "lape") == ""
    assert (
        described(canonical({"steer": {**STEER, "site": "gate"}}), "lape")
        == "gate of own set to -1, of en + mean of own"
    )
    plain = Study(config).labels()["mask_sets"]
    shown = Study(changed(config, mask_sets__lape__intervention={"op": "set", "number": 1})).labels()
    assert shown["mask_sets"] == {**plain, "lape": "LAPE: value set to 1 (published: gate)"}
    older = Study(changed(config, mask_sets__lape__intervention={"mean": True})).labels()
    assert older["mask_sets"] == plain
