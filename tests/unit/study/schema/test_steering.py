"""The section steering: what it needs of the study."""

from typing import Any

import pytest
from crane.study.check import check
from support.study_config import REMOVE, changed, messages, preset

STEERING = preset("demo-evidence")["steering"]


def steered(config: dict[str, Any], **edits: Any) -> dict[str, Any]:
    return changed(config | {"steering": STEERING}, **edits)


@pytest.mark.parametrize(
    "edits",
    [
        {},
        {"steering__pairs": [["en", "zh"], ["zh", "en"]]},
        {"steering__documents": REMOVE},
        {"steering__site": "gate"},
        {"steering__deactivate": {"op": "set", "number": -1}},
        {"steering__activate": {"op": "set", "source": "mean", "of": "own", "factor": 2}},
    ],
)
def test_what_steering_can_be(config: dict[str, Any], edits: dict[str, Any]) -> None:
    check(steered(config, **edits))


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"steering__mask_sets": ["best"]}, "steering.mask_sets: 'best' is not a mask set"),
        ({"steering__mask_sets": ["destroyed"]}, "steering.mask_sets: 'destroyed' has all neurons"),
        ({"mask_sets__crane_small__intervention": {"scale": 2}, "steering__mask_sets": ["crane_small"]},
         "steering.mask_sets: 'crane_small' has an intervention of its own"),
        ({"steering__pairs": [["en", "fr"]]}, "steering.pairs: 'fr' is not a language"),
        ({"steering__pairs": [["en", "en"]]}, "steering.pairs: 'en' is both"),
        ({"steering__pairs": [["en", "zh", "vi"]]}, "steering.pairs"),
        ({"steering__pairs": [["en", "zh"], ["en", "zh"]]}, "listed twice"),
        ({"steering__activate": {"op": "add"}}, "steering.activate: op: add needs exactly one of"),
        ({"steering__deactivate": {"op": "scale"}}, "steering.deactivate.factor: missing"),
        ({"steering__activate__of": "fr"}, "steering.activate.of: 'fr' is not a language"),
        ({"steering__documents": 201}, "steering.documents: 201 exceeds perplexity.documents, 200"),
        ({"steering__site": "gate", "engine": "vllm", "sweeps": REMOVE}, "steering.site: engine vllm computes gate"),
    ],
)  # fmt: skip
def test_what_it_lacks_is_told_in_one_line(config: dict[str, Any], edits: dict[str, Any], said: str) -> None:
    (line,) = messages(steered(config, **edits))
    assert said in line


def test_it_asks_open_questions_and_reads_the_texts_of_perplexity(config: dict[str, Any]) -> None:
    without = {"open_questions": REMOVE, "judges": REMOVE, "published": REMOVE, "scores__parallel": ["quiz"]}
    (line,) = messages(steered(config, **without))
    assert "steering: asks the open questions" in line
    (line,) = messages(steered(config, perplexity=REMOVE, calibration=REMOVE))
    assert "steering.documents: are those of perplexity" in line


def test_random_sets_of_a_part_of_the_questions_steer_nothing() -> None:
    config = preset("demo", "demo-evidence")
    (line,) = messages(changed(config, steering__mask_sets=["dispersion", "random_many"]))
    assert "steering.mask_sets: 'random_many' is measured on a part of the questions alone" in line
