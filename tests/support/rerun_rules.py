"""The rules that run together after a change, in the study of `support.rerun_study`: rule -> number of jobs."""

from collections.abc import Sequence

from support.rerun_study import SHARDS

MODELS = ["base", "chat"]
PARTS = ("quiz", "open")
# The mask sets of an evaluation job, on each model: original and crane, threshold and lape, two seeds.
FIRST, SECOND, THIRD = range(3)


def evaluating(*jobs: int, original: bool = False, parts: Sequence[str] = PARTS) -> dict[str, int]:
    """Jobs that ask both models again, and those that collect what was asked again, also without a mask or not."""
    asked = {f"evaluate_masks_{model}_{job}": 1 for model in MODELS for job in jobs}
    return {**asked, **collecting(parts, ["original", "mask_sets"] if original else ["mask_sets"])}


def collecting(parts: Sequence[str], collections: Sequence[str]) -> dict[str, int]:
    """Jobs that collect the answers of both models."""
    return {f"collect_answers_{part}_{name}": len(MODELS) for part in parts for name in collections}


def relevance(languages: int) -> dict[str, int]:
    """Jobs that measure some languages, all shards."""
    return {f"attribute_relevance_{shard}": languages for shard in range(SHARDS)}


FIGURES = {"plot_drop_heatmap": 4, "plot_transfer": 2, "plot_random_band": 2, "plot_judge_scores": 2}
# One table or figure each for all suites and models.
SELECTIVE = {
    "tabulate_selectivity": 1, "tabulate_double_dissociation": 1, "plot_double_dissociation": 1, "write_answers": 1,
}  # fmt: skip
SURE = {"tabulate_drop_tests": 4, "tabulate_f1_differences": 2, "tabulate_null_distribution": 2}
TABLES = {"tabulate_scores": 4, "tabulate_answer_language": 2, "tabulate_drops": 4, **SURE}
PUBLISH = {**TABLES, **FIGURES, **SELECTIVE}
SCORES = {"score_masks": 1, **PUBLISH}
RENDER = {"render_prompts": 4, "render_open_questions": 2}
SELECT = {"select_neurons": 3, "draw_random_neurons_random": 1}

JUDGES = 3  # the reference judge, one behind an endpoint, one by batches; each has one job per model
ABOUT_JUDGES = {"tabulate_judge_agreement": 1, "tabulate_judge_usage": 1}
PARSE = {"parse_judgements": len(MODELS) * JUDGES, **ABOUT_JUDGES}
JUDGE = {"ask_judge": len(MODELS) * JUDGES, **PARSE}
# One judge that is not the first: its scores stand in no other table.
OTHER_JUDGE = {"ask_judge": len(MODELS), "parse_judgements": len(MODELS), **ABOUT_JUDGES}
FIRST_JUDGE = {rule: n for rule, n in OTHER_JUDGE.items() if rule != "tabulate_judge_usage"}

SHOW_STABILITY = {
    "tabulate_stability": 1, "tabulate_overlap": 1, "plot_stability": 1, "plot_overlap": 1
}  # fmt: skip
COUNTS = {"tabulate_mask_counts": 1, "plot_mask_layers": 1}
SHOW_NULL = {"measure_selection_null": 1, "tabulate_mask_counts": 1}
OF_MASKS = {"measure_stability": 1, "write_answers": 1, **SHOW_STABILITY, **SHOW_NULL, **COUNTS}
OF_RANDOM = {"measure_stability": 1, "write_answers": 1, **SHOW_STABILITY, **COUNTS}
MASKED = evaluating(FIRST, SECOND, THIRD)
EVALUATE = evaluating(FIRST, SECOND, THIRD, original=True)
AFTER_MASKS = {**MASKED, **JUDGE, **SCORES, **OF_MASKS, "plot_kurtosis_contrast": 1}
REDUCE = {"reduce_kurtosis": 1, "reduce_half": 2}
AFTER_RELEVANCE = {**REDUCE, **SELECT, **AFTER_MASKS}
