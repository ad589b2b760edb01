"""What reruns when a sweep or the perplexity section changes: the points added, and what aggregates them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from support import rerun_study
from support.rerun_study import LAYERS, SHARDS, study
from support.workspace import Workspace

REPORT = {"score_sweep": 1, "tabulate_sweep": 1, "plot_sweep": 1}
PERPLEXITY = {"score_perplexity": 1, "tabulate_perplexity": 1, "plot_perplexity": 1}


def swept(demo: dict[str, Any]) -> dict[str, Any]:
    """The study of the other rerun tests, with every sweep."""
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
        "mask_sets": ["crane", "random"], "transfer": False, "documents": 10, "max_tokens": 8, "batch_size": 2,
    }  # fmt: skip
    return config


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any]) -> Workspace:
    return rerun_study.finished(tmp_path_factory.mktemp("sweep_reruns"), swept(demo_config))


def test_the_sweeps_add_their_own_jobs_only(finished: Workspace, demo_config: dict[str, Any]) -> None:
    """Without the sections nothing reruns; with them exactly these jobs are new."""
    assert finished.reruns() == {}
    finished.configure(study(demo_config))
    assert set(finished.planned()) == {"record_provenance"}  # a record of less
    made = [name for name in finished.outputs() if "matrix-" not in name]
    finished.configure(finished.config)
    added = [name for name in finished.outputs() if name not in made and "matrix-" not in name]
    masks = [name for name in added if name.endswith(".json")]
    # crane at 20%, random twice at 20%, threshold 2, std, logprob; scale 0.5 and mean need no file
    assert len(masks) == 6
    answers = [name for name in added if "/benchmarks/" in name]
    assert len(answers) == 6 + 2
    assert all("/benchmarks/base/" in name for name in answers)
    assert not any("/generations/" in name for name in added)


KEYS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, int]]] = {
    "a threshold": (
        lambda c: c["sweeps"]["threshold"]["thresholds"].append(1.5),
        {"select_neurons": 1, "run_benchmarks": 1, **REPORT},
    ),
    "a budget": (
        lambda c: c["sweeps"]["budget"]["fractions"].append(0.05),
        {"select_neurons": 1, "draw_random_neurons": 2, "run_benchmarks": 3, **REPORT},
    ),
    "a seed at every budget; at 10% they are the study's own": (
        lambda c: (c["sweeps"]["budget"].update(seeds=3), c["mask_sets"]["random"].update(seeds=2)),
        {"draw_random_neurons": 2, "run_benchmarks": 2, **REPORT},
    ),
    "a statistic": (
        lambda c: c["sweeps"]["ablation"]["statistics"].append("mean"),
        {"select_neurons": 1, "run_benchmarks": 1, **REPORT},
    ),
    "a relevance run": (
        lambda c: (
            c["relevance_variants"].update(absolute={"aggregate": "sum_abs"}),
            c["sweeps"]["ablation"]["relevance"].append("absolute"),
        ),
        {
            "attribute_relevance": 2 * SHARDS, "reduce_kurtosis": LAYERS, "select_neurons": 1, "run_benchmarks": 1,
            **REPORT,
        },
    ),
    "a relevance run that nothing asks for": (
        lambda c: c["relevance_variants"].update(absolute={"aggregate": "sum_abs"}), {},
    ),
    "a scale": (
        lambda c: c["sweeps"]["intervention"]["scales"].append(2),
        {"run_benchmarks": 1, **REPORT},
    ),
    "batch size of perplexity": (lambda c: c["perplexity"].update(batch_size=7), {}),
    "a mask set of perplexity": (
        lambda c: c["perplexity"]["mask_sets"].append("lape"), {"measure_perplexity": 1, **PERPLEXITY},
    ),
    "held-out documents": (
        lambda c: c["perplexity"].update(documents=11),
        {"sample_held_out": 2, "measure_perplexity": 4, **PERPLEXITY},
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", KEYS)
def test_a_changed_key_reruns_exactly(finished: Workspace, change: str) -> None:
    edit, expected = KEYS[change]
    config = copy.deepcopy(finished.config)
    edit(config)
    finished.configure(config)
    try:
        assert finished.reruns() == expected
    finally:
        finished.configure(finished.config)


def test_an_intervention_of_a_mask_set_chooses_no_neurons_anew(finished: Workspace) -> None:
    config = copy.deepcopy(finished.config)
    config["mask_sets"]["lape"]["intervention"] = {"mean": True}
    finished.configure(config)
    try:
        planned = finished.reruns()
    finally:
        finished.configure(finished.config)
    assert (planned["run_benchmarks"], planned["generate_answers"]) == (2, 2)
    assert planned["select_lape_neurons"] == planned["draw_random_neurons"] == planned["select_neurons"] == 0
