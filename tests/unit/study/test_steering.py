"""Steering, expanded: pairs, groups of mask sets, and what they need."""

from typing import Any

from crane.study.study import Study
from support.study_config import changed, preset

STEERING = preset("demo-evidence")["steering"]


def steering(config: dict[str, Any], **edits: Any) -> Any:
    return Study(changed(config | {"steering": STEERING}, **edits)).steering


def test_a_study_without_the_section_has_none_of_it(config: dict[str, Any]) -> None:
    found = Study(config).steering
    assert not found and found.groups == {} and found.described() == ""


def test_all_pairs_unless_some_are_named(config: dict[str, Any]) -> None:
    found = steering(config)
    assert len(found.pairs) == 6 and all(one != other for one, other in found.pairs)
    assert steering(config, steering__pairs=[["vi", "en"]]).pairs == [["vi", "en"]]


def test_seeds_of_a_random_set_are_one_group_beside_the_unmasked_model(config: dict[str, Any]) -> None:
    assert steering(config, mask_sets__random_dispersion__seeds=2).groups == {
        "original": ["original"],
        "dispersion": ["dispersion"],
        "random_dispersion": ["random_dispersion-0", "random_dispersion-1"],
    }


def test_means_are_needed_by_what_is_steered_alone(config: dict[str, Any]) -> None:
    found = steering(config)
    assert found.need_means("dispersion") and not found.need_means("original")
    number = steering(config, steering__activate={"op": "add", "number": 3})
    assert not number.need_means("dispersion")
    at_gate = Study(changed(config | {"steering": STEERING}, steering__site="gate")).masks
    assert at_gate.accumulators("") == ["values"] and at_gate.change_gates()
    assert Study(config | {"steering": STEERING}).masks.accumulators("") == []


def test_what_is_done_is_said_in_words(config: dict[str, Any]) -> None:
    said = steering(config, steering__activate={"op": "add", "source": "mean", "factor": 2}).described()
    assert said == (
        "value of the neurons of the language asked in: zero; value of the target's neurons: + 2 × mean of own"
    )
    assert steering(config).how["site"] == "value"


def test_answers_are_known_in_parallel_questions(config: dict[str, Any]) -> None:
    assert steering(config).knows_answers
    assert not steering(config, scores__parallel=["quiz"]).knows_answers
