"""What reruns after which change: edit a key or a module in a copy, compare the planned rules."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from support import rerun_study
from support.rerun_study import LAYERS, SHARDS, study
from support.workspace import Workspace

FIGURES = {"plot_drop_heatmap": 4, "plot_transfer": 2, "plot_random_band": 2, "plot_judge_scores": 2}
SURE = {"make_drop_tests": 4, "make_f1_differences": 2, "make_null_distribution": 2}
PUBLISH = {"make_table": 4, "make_language_table": 2, "tabulate_drops": 4, **SURE, **FIGURES}
SCORES = {"score_masks": 1, **PUBLISH}
MASK_SETS = 5  # crane, threshold, lape, random-0, random-1
EVALUATE_ALL = {"run_benchmarks": 2 * (MASK_SETS + 1), "generate_answers": 2 * (MASK_SETS + 1)}
SELECT_ALL = {"select_neurons": 2, "select_lape_neurons": 1, "draw_random_neurons": 2}
MASKED = {name: n - 2 for name, n in EVALUATE_ALL.items()}
JUDGES = 3  # the reference judge, one behind an endpoint, one by batches


def judging(jobs: int) -> dict[str, int]:
    """Jobs of judging answers anew, by all judges, and the tables of that alone."""
    return {**dict.fromkeys(("ask_judge", "parse_judgements"), jobs * JUDGES), **ABOUT_JUDGES}


ABOUT_JUDGES = {"compare_judges": 1, "count_judge_usage": 1}
PARSE_ALL = {"parse_judgements": 2 * (MASK_SETS + 1) * JUDGES, **ABOUT_JUDGES}
JUDGE_ALL = judging(2 * (MASK_SETS + 1))
JUDGE_MASKED = judging(2 * MASK_SETS)
# One judge that is not the first: its scores stand in no other table.
OTHER_JUDGE = {"ask_judge": 2 * (MASK_SETS + 1), "parse_judgements": 2 * (MASK_SETS + 1), **ABOUT_JUDGES}
FIRST_JUDGE = {**OTHER_JUDGE, "count_judge_usage": 0}
SHOW_STABILITY = {"make_stability_table": 1, "make_overlap_table": 1, "plot_stability": 1, "plot_overlap": 1}
COUNTS = {"count_masks": 1, "plot_mask_layers": 1}
OF_MASKS = {"measure_stability": 1, **SHOW_STABILITY, **COUNTS}
AFTER_MASKS = {**MASKED, **JUDGE_MASKED, **SCORES, **OF_MASKS, "plot_kurtosis_contrast": 1}
AFTER_RELEVANCE = {"reduce_kurtosis": LAYERS, "reduce_half": 2, **SELECT_ALL, **AFTER_MASKS}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any]) -> Workspace:
    return rerun_study.finished(tmp_path_factory.mktemp("reruns"), study(demo_config))


def new_language(config: dict[str, Any]) -> None:
    config["languages"]["fr"] = {"name": "fr"}
    config["corpora"]["files"]["fr"] = "inputs/fr.txt"
    config["benchmarks"]["quiz_fr"] = {**config["benchmarks"]["quiz_en"], "language": "fr"}
    config["suites"]["quiz"].append("quiz_fr")
    config["open_questions"]["suffix"]["fr"] = ""
    config["open_questions"]["files"]["fr"] = "inputs/questions_fr.jsonl"


def new_benchmarks(config: dict[str, Any]) -> None:
    for code in ("en", "vi"):
        config["benchmarks"][f"exam_{code}"] = {**config["benchmarks"][f"quiz_{code}"], "fewshot": 5}
    config["suites"]["exam"] = ["exam_en", "exam_vi"]


def swapped_settings(config: dict[str, Any]) -> None:
    """Two values change places: Snakemake compares params without their names."""
    config["scores"].update(resamples=config["scores"]["seed"] + 100, seed=config["scores"]["resamples"])


def reordered(config: dict[str, Any]) -> None:
    """The order in which a file is written says nothing, but for what is shown in that order."""
    for path in (
        ["relevance"],
        ["open_questions", "suffix"],
        ["mask_sets", "crane"],
        ["scores"],
        ["judges", "reference"],
        ["judges", "gpt"],
    ):
        section = config
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = dict(reversed(section[path[-1]].items()))
    config["suites"]["quiz"].reverse()


KEYS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, int]]] = {
    "nothing": (lambda c: None, {}),
    "batch sizes": (lambda c: (c["relevance"].update(batch_size=7), c["evaluation"].update(batch_size=7)), {}),
    "threshold": (
        lambda c: c["mask_sets"]["threshold"].update(threshold=1.5),
        {
            "select_neurons": 1, **OF_MASKS, "plot_kurtosis_contrast": 1,
            "run_benchmarks": 2, "generate_answers": 2, **judging(2), **SCORES,
        },
    ),
    "new language": (
        new_language,
        {
            "sample_corpus": 1, "attribute_relevance": SHARDS, "reduce_kurtosis": LAYERS, **SELECT_ALL, **EVALUATE_ALL,
            **JUDGE_ALL, **SCORES, **OF_MASKS, "reduce_half": 2, "plot_kurtosis_contrast": 1,
        },
    ),
    "new benchmarks": (
        new_benchmarks,
        {
            "run_benchmarks": 2 * (MASK_SETS + 1), **SCORES, "make_table": 6, "plot_drop_heatmap": 6,
            "plot_transfer": 3, "plot_random_band": 3, "tabulate_drops": 6,
            "make_drop_tests": 6, "make_f1_differences": 3, "make_null_distribution": 3,
        },
    ),
    "new random seed": (
        lambda c: c["mask_sets"]["random"].update(seeds=3),
        {
            "draw_random_neurons": 1, "run_benchmarks": 2, "generate_answers": 2, **judging(2),
            **OF_MASKS, **SCORES,
        },
    ),
    "figure style": (
        lambda c: c["figures"].update(dpi=300),
        {"plot_kurtosis_contrast": 1, "plot_stability": 1, "plot_overlap": 1, "plot_mask_layers": 1, **FIGURES},
    ),
    "judge setting": (
        lambda c: c["judges"]["reference"].update(word_order=2),
        {rule: n for rule, n in {**FIRST_JUDGE, **SCORES}.items() if n},
    ),
    "another judge's model": (lambda c: c["judges"]["gpt"].update(model="judge-2"), OTHER_JUDGE),
    "another judge's output": (lambda c: c["judges"]["gpt"].update(output="text"), OTHER_JUDGE),
    "a judge's attempts": (lambda c: c["judges"]["batch"].update(attempts=5), OTHER_JUDGE),
    "speed of a judge, and where its key is": (
        lambda c: (c["judges"]["gpt"].update(concurrency=64, timeout=5, key_variable="OTHER"),
                   c["judges"]["batch"].update(poll_seconds=5)), {},
    ),
    "price of a judge": (
        lambda c: c["judges"]["gpt"].update(price={"input": 2.5, "output": 10}), {"count_judge_usage": 1},
    ),
    "order of the judges": (
        lambda c: c.update(judges=dict(reversed(c["judges"].items()))), {**SCORES, **ABOUT_JUDGES},
    ),
    "answer prompt": (
        lambda c: c["open_questions"]["suffix"].update(vi=" Trả lời bằng tiếng Việt."),
        {"generate_answers": 2 * (MASK_SETS + 1), **JUDGE_ALL, **SCORES},
    ),
    "relevance objective": (
        lambda c: c["relevance"].update(objective="next_token_logprob"),
        {"attribute_relevance": 2 * SHARDS, **AFTER_RELEVANCE},
    ),
    "label of a mask set": (lambda c: c["mask_sets"]["lape"].update(label="LAPE 2024"),
                            {**PUBLISH, **SHOW_STABILITY, **COUNTS}),
    "the paper beside the run": (
        lambda c: c.update(published={
            "same_model": False, "models": {"base": "llama2-7b-base", "chat": "llama2-7b-chat"},
            "mask_sets": {"crane": "crane"}, "benchmarks": {"quiz_en": "mmlu", "open_vi": "open_vi"},
        }),
        {"make_published_table": 4, "plot_published": 4},
    ),
    "bootstrap, swapped values": (swapped_settings, SCORES),
    "order of keys": (reordered, {}),
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


MODULES: dict[str, dict[str, int]] = {
    "workflow/scripts/crane/relevance/moments.py": {"attribute_relevance": 2 * SHARDS, **AFTER_RELEVANCE},
    "workflow/scripts/crane/figures/drops.py": {n: FIGURES[n] for n in FIGURES if n != "plot_judge_scores"},
    "workflow/scripts/crane/selection/stability.py": {"measure_stability": 1, **SHOW_STABILITY},
    "workflow/scripts/crane/neurons/masked_checkpoint.py": {},
    "workflow/scripts/crane/scores/langspec_f1.py": SCORES,
    "workflow/prompts/crane.yaml": OTHER_JUDGE,
    "workflow/scripts/crane/judging/prompts.py": {**JUDGE_ALL, **SCORES},
    "workflow/scripts/crane/judging/online.py": {**JUDGE_ALL, **SCORES},
    # The parser: nobody is asked again.
    "workflow/scripts/crane/judging/verdicts.py": {**PARSE_ALL, **SCORES},
    "workflow/scripts/crane/judging/answer_language.py": {**PARSE_ALL, **SCORES},
    "workflow/scripts/crane/figures/judge_scores.py": {"plot_judge_scores": 2},
    "workflow/scripts/crane/study/judges.py": {},
    "workflow/scripts/crane/evaluation/open_questions.py": {
        "generate_answers": 2 * (MASK_SETS + 1), **JUDGE_ALL, **SCORES,
    },
    "workflow/scripts/crane/evaluation/benchmarks.py": {"run_benchmarks": 2 * (MASK_SETS + 1), **SCORES},
    "workflow/scripts/crane/selection/rules.py": AFTER_RELEVANCE,
    "workflow/scripts/crane/study/study.py": {},
    "workflow/scripts/joblog.py": {},
    "workflow/tasks/question_with_choices.yaml": {"run_benchmarks": 2 * (MASK_SETS + 1), **SCORES},
    "README.md": {},
}  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_a_changed_file_reruns_exactly(finished: Workspace, module: str) -> None:
    path = finished.folder / module
    original = path.read_bytes()
    path.write_bytes(original + b"\n# edited\n")
    try:
        assert finished.reruns() == MODULES[module]
    finally:
        path.write_bytes(original)


def test_a_fresh_checkout_reruns_nothing(finished: Workspace) -> None:
    """New modification times of all code change nothing: the hash decides."""
    for path in (finished.folder / "workflow").rglob("*"):
        path.touch()
    assert finished.planned() == {}
