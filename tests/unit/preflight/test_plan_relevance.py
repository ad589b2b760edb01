"""The estimate of what relevance costs, against the formulas worked out by hand."""

from typing import Any

import pytest
from crane.preflight.assumptions import Assumptions
from crane.preflight.plan import Stage, estimate
from crane.preflight.plan_table import relevance_line
from crane.study.study import Study

pytestmark = pytest.mark.usefixtures("elsewhere")
LLAMA = 6.74e9
SPEED = 312e12 * 0.45
START = 2 / 60


def stages(config: dict[str, Any]) -> dict[str, Stage]:
    return {stage.name: stage for stage in estimate(Study(config))}


def test_relevance_is_a_forward_and_a_backward_pass_over_all_tokens(paper: dict[str, Any]) -> None:
    relevance = stages(paper)["relevance"]
    assert relevance.jobs == relevance.gpu_jobs == 3, "all shards of a language in one job"
    computed = 3 * 5000 * 512 * 4 * LLAMA / SPEED / 3600
    assert relevance.gpu_hours == pytest.approx(computed + 3 * START)
    assert relevance.disk == 2 * 3 * 12 * 32 * 11008 * 72, "the shards, and copies in the store of parts"
    paper["relevance"]["shards_per_job"] = 3
    split = stages(paper)["relevance"]
    assert split.gpu_jobs == 3 * 4
    assert split.gpu_hours == pytest.approx(computed + 12 * START) and split.disk == relevance.disk


def test_a_layer_sweep_passes_forward_twice(paper: dict[str, Any]) -> None:
    paper["plan"] = {"gpu_memory": 12}
    computed = 3 * 5000 * 512 * 6 * LLAMA / SPEED / 3600
    assert stages(paper)["relevance"].gpu_hours == pytest.approx(computed + 3 * START)
    paper["plan"] = {"gpu_memory": 2}
    assert relevance_line(Study(paper)).endswith(
        "2 GB: not possible, a single sample takes more; use a larger GPU."
    )


@pytest.mark.parametrize(
    ("layers", "intermediate", "parameters", "memory", "expected"),
    [  # LLaMA-2 of 7, 13 and 70 billion parameters, samples of 2,048 tokens
        (32, 11008, 6.74e9, 80, "batches of 8,192 tokens through the whole model"),
        (32, 11008, 6.74e9, 24, "batches of 2,048 tokens through the whole model"),
        (40, 13824, 13.02e9, 24, "layer sweeps of 32,768 tokens in batches of 8,192"),
        (80, 28672, 68.98e9, 80, "layer sweeps of 32,768 tokens in batches of 8,192"),
    ],
)
def test_which_models_pass_through_which_gpus(
    paper: dict[str, Any], layers: int, intermediate: int, parameters: float, memory: int, expected: str
) -> None:
    for model in paper["models"].values():
        model.update(layers=layers, intermediate_size=intermediate, parameters=parameters)
    del paper["published"]
    paper["corpora"]["max_tokens"] = 2048
    paper["plan"] = {"gpu_memory": memory}
    assert relevance_line(Study(paper)) == f"Relevance on a GPU of {memory} GB: {expected}."


def test_accumulators_of_other_methods_take_room_beside_the_shards(paper: dict[str, Any]) -> None:
    before = stages(paper)["relevance"]
    paper["mask_sets"]["plnd"] = {
        "label": "P", "method": "plnd", "importance": "output", "top": 0.1, "consistency": 1, "remove": "any",
    }  # fmt: skip
    after = stages(paper)["relevance"]
    assert after.disk - before.disk == 2 * 3 * 12 * 32 * 11008 * 36
    assert after.gpu_hours == before.gpu_hours


def test_histograms_take_room_and_a_pilot(paper: dict[str, Any]) -> None:
    before = stages(paper)["relevance"]
    paper["mask_sets"]["overlap"] = {"label": "O", "method": "overlap", "pair_rate": 0.01}
    after = stages(paper)["relevance"]
    assert after.disk - before.disk == 2 * 3 * 12 * 32 * 11008 * (66 * 4 + 8)
    assert (after.jobs, after.gpu_jobs) == (before.jobs + 1, before.gpu_jobs + 1)
    paper["relevance"]["pilot"] = 5000  # all samples, forward only
    passed = (stages(paper)["relevance"].gpu_hours - after.gpu_hours) / (1 - 64 / 5000)
    starts = before.jobs * Assumptions().start_minutes / 60
    assert passed == pytest.approx((before.gpu_hours - starts) / 2)


def test_only_relevance_runs_that_a_mask_set_asks_for_are_counted(paper: dict[str, Any]) -> None:
    before = stages(paper)
    paper["relevance_variants"] = {
        "max_logit": {"objective": "last_token_max_logit"},
        "unused": {"rules": "cp_lrp"},
    }
    unasked = stages(paper)
    assert unasked == before
    paper["mask_sets"]["dispersion"]["relevance"] = "max_logit"
    after = stages(paper)
    assert after["relevance"].gpu_jobs == 2 * before["relevance"].gpu_jobs
    assert after["kurtosis and masks"].jobs == before["kurtosis and masks"].jobs + 1
    table = 32 * 11008 * 3 * 110
    assert before["kurtosis and masks"].disk == 3 * table  # all texts, and both halves of them
    assert after["kurtosis and masks"].disk == 4 * table
