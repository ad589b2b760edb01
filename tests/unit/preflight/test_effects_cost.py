"""The cost of the calibration, worked out by hand, and that it is no stage where it is not asked for."""

from typing import Any

import pytest
from crane.preflight.assumptions import Assumptions
from crane.preflight.effects_cost import effects_cost
from crane.preflight.plan import estimate
from crane.study.study import Study
from support.study_config import REMOVE, changed, preset

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture(scope="module")
def evidence() -> dict[str, Any]:
    return preset("config", "evidence")


def test_half_of_the_layers_in_float32_for_every_ablation_and_token(evidence: dict[str, Any]) -> None:
    seconds, size = effects_cost(Study(evidence), Assumptions(), 6.74e9)
    tokens = 3 * 64 * 256  # documents of .3 x 2048 tokens are cut to 256
    assert seconds == pytest.approx(16 * 6.74e9 * tokens * (512 + 64) / (312e12 * 0.45) + 120)
    assert size == 576 * 3 * (64 * 8 + 50)


def test_short_texts_are_not_filled_up(evidence: dict[str, Any]) -> None:
    short = changed(evidence, perplexity__max_tokens=256)
    seconds, _ = effects_cost(Study(short), Assumptions(start_minutes=0), 6.74e9)
    whole, _ = effects_cost(Study(evidence), Assumptions(start_minutes=0), 6.74e9)
    assert seconds == pytest.approx(0.3 * whole)


def test_it_is_a_stage_of_its_own_if_asked_for(evidence: dict[str, Any]) -> None:
    stages = {stage.name: stage for stage in estimate(Study(evidence))}
    assert (stages["calibration"].jobs, stages["calibration"].gpu_jobs) == (2, 1)
    without = {stage.name: stage for stage in estimate(Study(changed(evidence, calibration=REMOVE)))}
    assert {name: stage for name, stage in stages.items() if name != "calibration"} == without
