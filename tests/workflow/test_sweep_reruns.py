"""What reruns when a sweep or the perplexity section changes: the points added, and what aggregates them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from support import rerun_study
from support.rerun_study import SHARDS, study
from support.workspace import Workspace

REPORT = {"score_sweep": 1, "tabulate_sweep": 1, "plot_sweep": 1}
DAMAGE = {"plot_equal_damage": 1}
DRAWN = "draw_random_neurons_"
AT_5, AT_20 = "kurtosis-layer-margin-fraction0.05", "kurtosis-layer-margin-fraction0.2"
SELECTIVE = {
    "tabulate_selectivity": 1, "tabulate_double_dissociation": 1, "plot_double_dissociation": 1, "write_answers": 1,
}  # fmt: skip
PERPLEXITY = {"score_perplexity": 1, "tabulate_perplexity": 1, "plot_perplexity": 1, **SELECTIVE}

STEERING = {
    "mask_sets": ["crane", "random"], "deactivate": {"op": "zero"}, "activate": {"op": "add", "source": "mean"},
    "documents": 5,
}  # fmt: skip
STEER = {"score_steering": 1, "tabulate_steering": 1, "plot_steering": 1}
CALIBRATE = {"score_calibration": 1, "tabulate_calibration": 1, "plot_calibration": 1}


def evaluating(*jobs: int, collected: Sequence[str]) -> dict[str, int]:
    """Jobs that ask the identification model again, and those that collect what was asked again."""
    asked = {f"evaluate_masks_base_{job}": 1 for job in jobs}
    return {**asked, **{f"collect_answers_{each}": 1 for each in collected}}


def swept(demo: dict[str, Any]) -> dict[str, Any]:
    """The study of the other rerun tests, with every sweep.

    The study's own mask sets are in three jobs of two each. Those of the sweeps follow: crane at 20% (job 3), random
    sets at 20% (3 and 4), the threshold 2 (4), std and logprob (5), the scale 0.5 and the mean (6).
    """
    config = study(demo)
    config["relevance_variants"] = {"logprob": {"objective": "next_token_logprob"}}
    config["sweeps"] = {
        "budget": {"suite": "quiz", "mask_sets": ["crane", "random"], "fractions": [0.1, 0.2], "seeds": 2},
        "threshold": {"suite": "quiz", "mask_set": "threshold", "thresholds": [1, 2]},
        "ablation": {"suite": "quiz", "mask_sets": ["crane"], "fraction": 0.1, "statistics": ["std"],
                     "relevance": ["logprob"]},
        "intervention": {"suite": "quiz", "mask_sets": ["crane"], "scales": [0, 0.5], "mean": True},
    }  # fmt: skip
    config["perplexity"] = {
        "mask_sets": ["crane", "random"], "transfer": False, "documents": 10, "max_tokens": 8,
    }  # fmt: skip
    config["calibration"] = {
        "neurons": 16, "groups": 8, "group_size": 4, "documents": 10, "max_tokens": 8, "seed": 0,
    }  # fmt: skip
    return config


@pytest.fixture(scope="module")
def finished(finished_study: Any, demo_config: dict[str, Any]) -> Workspace:
    return finished_study("sweep_reruns", swept(demo_config), rerun_study.pretend_finished)


def test_the_sweeps_add_their_own_jobs_only(finished: Workspace, demo_config: dict[str, Any]) -> None:
    """Without the sections nothing reruns; with them exactly these jobs are new."""
    assert finished.reruns() == {}
    finished.configure(study(demo_config))
    # a record of less, and what showed perplexity beside the suites
    assert finished.planned() == {**SELECTIVE, "record_provenance": 1}
    made = [name for name in finished.outputs() if "matrix-" not in name]
    finished.configure(finished.config)
    added = [name for name in finished.outputs() if name not in made and "matrix-" not in name]
    masks = [name for name in added if "/masks/" in name and name.endswith(".json")]
    # crane at 20%, random twice at 20%, threshold 2, std, logprob; scale 0.5 and mean need no file
    assert len(masks) == 6
    answers = [name for name in added if "/evaluations/" in name]
    assert len([name for name in answers if name.endswith("/quiz.parquet")]) == 6 + 2
    # original, crane and the group of random
    assert len([name for name in answers if name.endswith("/perplexity.parquet")]) == 3
    assert len(answers) == 8 + 3 and all("/evaluations/base/" in name for name in answers)


KEYS: dict[str, tuple[Callable[[dict[str, Any]], Any], Mapping[str, int]]] = {
    "other mask sets in a job": (lambda c: c["evaluation"].update(sets_per_job=5), {}),
    "a threshold": (
        lambda c: c["sweeps"]["threshold"]["thresholds"].append(1.5),
        {"select_neurons": 1, **evaluating(4, collected=["quiz_sweep_threshold"]), **REPORT},
    ),
    "a budget": (
        lambda c: c["sweeps"]["budget"]["fractions"].append(0.05),
        {
            "select_neurons": 1, f"{DRAWN}random-0-as-{AT_5}": 1, f"{DRAWN}random-1-as-{AT_5}": 1,
            **evaluating(3, 5, collected=["quiz_sweep_budget"]), **REPORT, **DAMAGE,
        },
    ),
    "a seed at every budget; at 10% they are the study's own": (
        lambda c: (c["sweeps"]["budget"].update(seeds=3), c["mask_sets"]["random"].update(seeds=2)),
        {
            f"{DRAWN}random-2-as-crane": 1, f"{DRAWN}random-2-as-{AT_20}": 1,
            **evaluating(3, 5, collected=["quiz_sweep_budget"]), **REPORT, **DAMAGE,
        },
    ),
    "a statistic": (
        lambda c: c["sweeps"]["ablation"]["statistics"].append("mean"),
        {"select_neurons": 1, **evaluating(5, collected=["quiz_sweep_ablation"]), **REPORT},
    ),
    "a relevance run": (
        lambda c: (
            c["relevance_variants"].update(absolute={"aggregate": "sum_abs"}),
            c["sweeps"]["ablation"]["relevance"].append("absolute"),
        ),
        {
            **{f"attribute_relevance_{shard}": 2 for shard in range(SHARDS)}, "reduce_kurtosis": 1, "select_neurons": 1,
            **evaluating(6, collected=["quiz_sweep_ablation"]), **REPORT,
        },
    ),
    "a relevance run that nothing asks for": (
        lambda c: c["relevance_variants"].update(absolute={"aggregate": "sum_abs"}), {},
    ),
    "a scale": (
        lambda c: c["sweeps"]["intervention"]["scales"].append(2),
        {**evaluating(6, collected=["quiz_sweep_intervention"]), **REPORT},
    ),
    "a mask set of perplexity": (
        lambda c: c["perplexity"]["mask_sets"].append("lape"),
        {**evaluating(1, collected=["perplexity_mask_sets"]), **PERPLEXITY},
    ),
    "held-out documents": (
        lambda c: c["perplexity"].update(documents=11),
        {"sample_held_out": 2, **evaluating(0, 2, collected=["perplexity_original", "perplexity_mask_sets"]),
         **PERPLEXITY, "measure_effects": 1, **CALIBRATE},
    ),
    "resample ablation": (
        lambda c: c["sweeps"]["intervention"].update(resample=1),
        {"record_donor_values": 1, **evaluating(7, collected=["quiz_sweep_intervention"]), **REPORT},
    ),
    "steering; at the value, whose means are known": (
        lambda c: c.update(steering=STEERING),
        {**{f"steer_masks_{group}": 1 for group in ("original", "crane", "random")}, **STEER},
    ),
    "ablated neurons": (
        lambda c: c["calibration"].update(neurons=17), {"measure_effects": 1, **CALIBRATE},
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", KEYS)
def test_a_changed_key_reruns_exactly(finished: Workspace, change: str) -> None:
    edit, expected = KEYS[change]
    with finished.configured(edit):
        assert finished.reruns() == expected


MODULES: dict[str, Mapping[str, int]] = {
    "figures/sweeps.py": {"plot_sweep": 4},
    "tables/sweeps.py": {"tabulate_sweep": 4},
    "figures/perplexity.py": {"plot_perplexity": 1},
    "figures/equal_damage.py": DAMAGE,
    "scores/sweeps.py": {"score_sweep": 4, "tabulate_sweep": 4, "plot_sweep": 4, **DAMAGE},
    "scores/perplexity.py": PERPLEXITY,
    "evaluation/ablation_losses.py": {"measure_effects": 1, **CALIBRATE},
    "selection/criteria.py": CALIBRATE,
    "results/calibration.py": {"tabulate_calibration": 1, "plot_calibration": 1},
    "neurons/donor_values.py": {},
}


@pytest.mark.parametrize("module", MODULES)
def test_a_changed_module_reruns_exactly(finished: Workspace, module: str) -> None:
    with finished.edited(f"workflow/scripts/crane/{module}"):
        assert finished.reruns() == MODULES[module]


def test_an_intervention_of_a_mask_set_chooses_no_neurons_anew(finished: Workspace) -> None:
    with finished.configured(lambda c: c["mask_sets"]["lape"].update(intervention={"mean": True})):
        planned = finished.reruns()
    asked = {rule: jobs for rule, jobs in planned.items() if rule.startswith("evaluate_masks")}
    assert asked == {"evaluate_masks_base_1": 1, "evaluate_masks_chat_1": 1}
    collected = {rule: jobs for rule, jobs in planned.items() if rule.startswith("collect_answers")}
    assert collected == {"collect_answers_quiz_mask_sets": 2, "collect_answers_open_mask_sets": 2}
    assert not [rule for rule in planned if rule.startswith(("select_neurons", "draw_random", "measure"))]
