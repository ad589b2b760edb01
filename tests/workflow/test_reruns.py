"""What reruns after which change: edit a key or a module in a copy, compare the planned rules."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from support import rerun_study
from support.rerun_rules import (
    ABOUT_JUDGES,
    AFTER_MASKS,
    AFTER_RELEVANCE,
    COUNTS,
    EVALUATE,
    FIGURES,
    FIRST,
    FIRST_JUDGE,
    JUDGE,
    OF_MASKS,
    OF_RANDOM,
    OTHER_JUDGE,
    PARSE,
    PARTS,
    PUBLISH,
    REDUCE,
    RENDER,
    SCORES,
    SECOND,
    SELECT,
    SELECTIVE,
    SHOW_NULL,
    SHOW_STABILITY,
    SURE,
    THIRD,
    collecting,
    evaluating,
    relevance,
)
from support.rerun_study import SHARDS, study
from support.study_changes import new_benchmarks, new_language, new_mask_set, reordered, swapped_settings
from support.workspace import Workspace


@pytest.fixture(scope="module")
def finished(finished_study: Any, demo_config: dict[str, Any]) -> Workspace:
    return finished_study("reruns", study(demo_config), rerun_study.pretend_finished)


KEYS: dict[str, tuple[Callable[[dict[str, Any]], Any], Mapping[str, int]]] = {
    "nothing": (lambda c: None, {}),
    "histograms that no mask set needs": (lambda c: c["relevance"].update(pilot=7, token_cap=700), {}),
    "batch sizes": (
        lambda c: (
            c["relevance"].update(batch_size=7, batch_tokens=70, sweep_tokens=700, memory_gb=7),
            c["evaluation"].update(batch_size=7, batch_tokens=77),
        ), {},
    ),
    "more mask sets in a job": (lambda c: c["evaluation"].update(sets_per_job=4), {}),
    "fewer mask sets in a job": (lambda c: c["evaluation"].update(sets_per_job=1), {}),
    "as many mask sets in a job as by default": (lambda c: c["evaluation"].pop("sets_per_job"), {}),
    "all shards in a job": (lambda c: c["relevance"].pop("shards_per_job"), {}),
    "threshold": (
        lambda c: c["mask_sets"]["threshold"].update(threshold=1.5),
        {"select_neurons": 1, **OF_MASKS, "plot_kurtosis_contrast": 1,
         **evaluating(SECOND), **JUDGE, **SCORES},
    ),
    "new mask set": (
        new_mask_set,
        {"select_neurons": 1, **OF_MASKS, **evaluating(SECOND), **JUDGE, **SCORES},
    ),
    "mask set that needs accumulators": (
        lambda c: c["mask_sets"].update(plnd={
            "label": "P", "method": "plnd", "importance": "output", "top": 0.1, "consistency": 1, "remove": "any",
        }),
        {f"attribute_relevance_accumulating_{shard}": 2 for shard in range(SHARDS)}
        | {**AFTER_RELEVANCE, "select_neurons": 4, **evaluating(FIRST, SECOND, THIRD, 3)},
    ),
    "mask set that needs histograms": (
        lambda c: c["mask_sets"].update(overlap={
            "label": "O", "method": "overlap", "budget": {"fraction": 0.1},
        }),
        {f"attribute_relevance_accumulating_{shard}": 2 for shard in range(SHARDS)}
        | {**AFTER_RELEVANCE, "freeze_bin_edges": 1, "select_neurons": 4,
           **evaluating(FIRST, SECOND, THIRD, 3)},
    ),
    "new language": (
        new_language,
        {"sample_corpus": 1, **relevance(1), **REDUCE, **SELECT, "render_prompts": 2, "render_open_questions": 2,
         **EVALUATE, **JUDGE, **SCORES, **OF_MASKS, "plot_kurtosis_contrast": 1},
    ),
    "new benchmarks": (
        new_benchmarks,
        {"render_prompts": 4, **evaluating(FIRST, SECOND, THIRD, original=True, parts=["exam"]),
         **SCORES, "tabulate_scores": 6, "plot_drop_heatmap": 6, "plot_transfer": 3, "plot_random_band": 3,
         "tabulate_drops": 6, "tabulate_drop_tests": 6, "tabulate_f1_differences": 3, "tabulate_null_distribution": 3},
    ),
    "new random seed": (
        lambda c: c["mask_sets"]["random"].update(seeds=3),
        {"draw_random_neurons_random": 1, **OF_RANDOM, **evaluating(THIRD, 3), **JUDGE, **SCORES},
    ),
    "figure style": (
        lambda c: c["figures"].update(dpi=300),
        {"plot_kurtosis_contrast": 1, "plot_stability": 1, "plot_overlap": 1, "plot_mask_layers": 1,
         "plot_double_dissociation": 1, **FIGURES},
    ),
    "judge setting": (
        lambda c: c["judges"]["reference"].update(word_order=2), {**FIRST_JUDGE, **SCORES},
    ),
    "another judge's model": (lambda c: c["judges"]["gpt"].update(model="judge-2"), OTHER_JUDGE),
    "another judge's output": (lambda c: c["judges"]["gpt"].update(output="text"), OTHER_JUDGE),
    "a judge's attempts": (lambda c: c["judges"]["batch"].update(attempts=5), OTHER_JUDGE),
    "speed of a judge, and where its key is": (
        lambda c: (c["judges"]["gpt"].update(concurrency=64, timeout=5, key_variable="OTHER"),
                   c["judges"]["batch"].update(poll_seconds=5)), {},
    ),
    "price of a judge": (
        lambda c: c["judges"]["gpt"].update(price={"input": 2.5, "output": 10}), {"tabulate_judge_usage": 1},
    ),
    "order of the judges": (
        lambda c: c.update(judges=dict(reversed(c["judges"].items()))), {**SCORES, **ABOUT_JUDGES},
    ),
    "question": (
        lambda c: c["open_questions"]["suffix"].update(vi=" Trả lời bằng tiếng Việt."),
        {"render_open_questions": 2, **evaluating(FIRST, SECOND, THIRD, original=True, parts=["open"]), **JUDGE,
         **SCORES},
    ),
    "length of an answer": (
        lambda c: c["open_questions"].update(max_new_tokens=17),
        {**evaluating(FIRST, SECOND, THIRD, original=True, parts=["open"]), **JUDGE, **SCORES},
    ),
    "examples before a question": (
        lambda c: c["benchmarks"]["quiz_vi"].update(fewshot=1),
        {"render_prompts": 2, **evaluating(FIRST, SECOND, THIRD, original=True, parts=["quiz"]), **SCORES},
    ),
    "precision": (lambda c: c["evaluation"].update(dtype="float32"), {**EVALUATE, **JUDGE, **SCORES}),
    "relevance objective": (
        lambda c: c["relevance"].update(objective="next_token_logprob"), {**relevance(2), **AFTER_RELEVANCE},
    ),
    "rule of a router": (lambda c: c["relevance"].update(router="uniform"), {**relevance(2), **AFTER_RELEVANCE}),
    "texts of an expert": (lambda c: c["relevance"].update(routed_samples=20), AFTER_RELEVANCE),
    "label of a mask set": (lambda c: c["mask_sets"]["lape"].update(label="LAPE 2024"),
                            {**PUBLISH, **SHOW_STABILITY, **COUNTS}),
    "the paper beside the run": (
        lambda c: c.update(published={
            "same_model": False, "models": {"base": "llama2-7b-base", "chat": "llama2-7b-chat"},
            "mask_sets": {"crane": "crane"}, "benchmarks": {"quiz_en": "mmlu", "open_vi": "open_vi"},
        }),
        {"tabulate_published": 4, "plot_published": 4},
    ),
    "bootstrap, swapped values": (swapped_settings, SCORES),
    "the explorer": (
        lambda c: c.update(explorer={"neurons": 5}),
        {"find_top_samples": 2, "reduce_top_samples": 1, "attribute_examples": 1, "write_explorer": 1},
    ),
    "languages resampled apart": (lambda c: c["scores"].pop("parallel"), SCORES),
    "order of keys": (reordered, {}),
}  # fmt: skip


@pytest.mark.parametrize("change", KEYS)
def test_a_changed_key_reruns_exactly(finished: Workspace, change: str) -> None:
    edit, expected = KEYS[change]
    with finished.configured(edit):
        assert finished.reruns() == expected


CRANE = "workflow/scripts/crane"
MODULES: dict[str, Mapping[str, int]] = {
    f"{CRANE}/relevance/moments.py": {**relevance(2), **AFTER_RELEVANCE},
    f"{CRANE}/neurons/normalisation.py": AFTER_RELEVANCE,
    f"{CRANE}/selection/rules.py": {**SELECT, **AFTER_MASKS},
    # One method's module reruns its own sets.
    f"{CRANE}/selection/methods/lape.py": {
        "select_neurons": 1, **OF_MASKS, **evaluating(SECOND), **JUDGE, **SCORES,
    },
    f"{CRANE}/selection/methods/plnd.py": {},
    f"{CRANE}/selection/stability.py": {"measure_stability": 1, "write_answers": 1, **SHOW_STABILITY},
    f"{CRANE}/selection/selection_null.py": SHOW_NULL,
    f"{CRANE}/neurons/masked_checkpoint.py": {},
    # Prompts, and what is asked with them.
    f"{CRANE}/evaluation/benchmarks.py": {"render_prompts": 4, "render_open_questions": 2, **EVALUATE, **JUDGE,
                                          **SCORES},
    f"{CRANE}/evaluation/prompts.py": {**RENDER, **EVALUATE, **JUDGE, **SCORES},
    f"{CRANE}/evaluation/open_questions.py": {**RENDER, **EVALUATE, **JUDGE, **SCORES},
    f"{CRANE}/evaluation/conditions.py": {**EVALUATE, **JUDGE, **SCORES},
    f"{CRANE}/evaluation/hf.py": {**EVALUATE, **JUDGE, **SCORES},
    f"{CRANE}/evaluation/vllm.py": {**EVALUATE, **JUDGE, **SCORES},
    # Nobody is asked again.
    f"{CRANE}/evaluation/collect.py": {**collecting(PARTS, ["original", "mask_sets"]), **JUDGE, **SCORES},
    "workflow/tasks/question_with_choices.yaml": {
        "render_prompts": 4, **evaluating(FIRST, SECOND, THIRD, original=True, parts=["quiz"]), **SCORES,
    },
    # Judges.
    "workflow/prompts/crane.yaml": OTHER_JUDGE,
    f"{CRANE}/judging/prompts.py": {**JUDGE, **SCORES},
    f"{CRANE}/judging/online.py": {**JUDGE, **SCORES},
    f"{CRANE}/judging/completions.py": {**JUDGE, **SCORES},
    f"{CRANE}/judging/verdicts.py": {**PARSE, **SCORES},
    f"{CRANE}/judging/reply_text.py": {**PARSE, **SCORES},
    f"{CRANE}/judging/answer_language.py": {**PARSE, **SCORES},
    f"{CRANE}/scores/langspec_f1.py": SCORES,
    f"{CRANE}/scores/randomisation.py": SCORES,
    f"{CRANE}/scores/units.py": SCORES,
    # A figure's module reruns that figure, a table's that table, and what two use both.
    f"{CRANE}/figures/transfer.py": {"plot_transfer": 2},
    f"{CRANE}/figures/judge_scores.py": {"plot_judge_scores": 2},
    f"{CRANE}/figures/drops.py": {"plot_drop_heatmap": 4},
    f"{CRANE}/figures/random_band.py": {"plot_random_band": 2},
    f"{CRANE}/figures/sweeps.py": {},
    f"{CRANE}/figures/double_dissociation.py": {"plot_double_dissociation": 1},
    f"{CRANE}/results/selectivity.py": SELECTIVE,
    f"{CRANE}/tables/selectivity.py": {"tabulate_selectivity": 1, "tabulate_double_dissociation": 1},
    f"{CRANE}/figures/style.py": {"plot_kurtosis_contrast": 1, "plot_stability": 1, "plot_overlap": 1,
                                  "plot_mask_layers": 1, "plot_double_dissociation": 1, **FIGURES},
    f"{CRANE}/tables/answers.py": {"write_answers": 1},
    f"{CRANE}/tables/mask_counts.py": {"tabulate_mask_counts": 1},
    f"{CRANE}/tables/matrices.py": {"tabulate_drops": 4},
    f"{CRANE}/tables/evidence.py": SURE,
    f"{CRANE}/tables/judges.py": {"tabulate_answer_language": 2, **ABOUT_JUDGES},
    # What decides no result.
    f"{CRANE}/study/judges.py": {},
    f"{CRANE}/study/study.py": {},
    f"{CRANE}/study/evaluations.py": {},
    f"{CRANE}/preflight/plan.py": {},
    "workflow/scripts/joblog.py": {},
    "workflow/rules/evaluation.smk": {},
    "README.md": {},
}  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_a_changed_file_reruns_exactly(finished: Workspace, module: str) -> None:
    with finished.edited(module):
        assert finished.reruns() == MODULES[module]


def test_a_new_optional_key_reruns_nothing(finished: Workspace) -> None:
    """With a default, in sections whose keys are in the params of relevance, masks, evaluation and judging."""
    schema = f"{CRANE}/study/schema"
    new = '    invented: int = Field(default=3, ge=1, description="A key of the next version.")\n'
    with (
        finished.edited(f"{schema}/relevance.py", "    skip_first: bool", f"{new}    skip_first: bool"),
        finished.edited(f"{schema}/models.py", "    gpus: int", f"{new}    gpus: int"),
    ):
        assert finished.planned() == {}
        with finished.configured(lambda c: c["relevance"].update(invented="3")):
            refused = finished.run("--dry-run", check=False)
    assert refused.returncode != 0 and "relevance.invented" in refused.stdout + refused.stderr


def test_a_fresh_checkout_reruns_nothing(finished: Workspace) -> None:
    """New modification times of all code change nothing: the hash decides."""
    for path in (finished.folder / "workflow").rglob("*"):
        path.touch()
    assert finished.planned() == {}


def test_lost_answers_are_collected_again_and_nobody_is_asked(finished: Workspace) -> None:
    answers = finished.results / "evaluations" / "base" / "lape" / "open.parquet"
    kept = answers.rename(answers.with_suffix(".kept"))
    try:
        planned = finished.planned(str(answers.relative_to(finished.folder)))
    finally:
        kept.rename(answers)
    assert planned == {"collect_answers_open_mask_sets": 1}


def test_a_lost_store_is_missed_when_something_is_asked_again(finished: Workspace) -> None:
    """Until then nothing is computed; then all mask sets are, whose answers are collected together."""
    store = finished.results / "parts"
    kept = store.rename(store.with_name("kept"))
    try:
        assert finished.planned() == {}
        with finished.configured(lambda c: c["mask_sets"]["threshold"].update(threshold=1.5)):
            planned = finished.reruns()
    finally:
        kept.rename(store)
    assert planned == {
        "select_neurons": 1, **OF_MASKS, "plot_kurtosis_contrast": 1, **EVALUATE, **JUDGE, **SCORES,
    }  # fmt: skip
