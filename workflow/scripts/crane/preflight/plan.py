"""Estimate the cost of a study before it runs: jobs, GPU hours, disk, transfers and judge calls.

Every figure is an estimate from counts and assumed speeds, never a measurement; docs/cluster.md derives the formulas.
"""

from collections.abc import Mapping
from typing import NamedTuple

from crane.errors import CraneError
from crane.names import OPEN_SUITE, ORIGINAL, PERPLEXITY
from crane.preflight.assumptions import Assumptions
from crane.preflight.effects_cost import effects_cost
from crane.preflight.part_costs import TEXT_BYTES, part_cost, shared_seconds
from crane.preflight.relevance_memory import relevance_fit
from crane.preflight.steering_cost import steering_cost
from crane.preflight.token_counts import held_out_tokens, open_question_counts, sample_tokens
from crane.relevance.accumulated_columns import BYTES, PILOT_SAMPLES
from crane.relevance.memory import Fit, TooSmallError
from crane.study import evaluations
from crane.study.masks import BY_STATISTICS
from crane.study.study import Study

STATISTICS_BYTES = 9 * 8
"""Size of one neuron in a shard: seven moments and the sum of values in float64, and one int64 counter."""
TABLE_BYTES = 110
"""Size of one neuron and language in the statistics tables, compressed; 109 in the demo."""
DATASET_BYTES = 10e6
"""Size of one data set of multiple-choice questions: about that of MMLU, the largest in the paper."""


class CostError(CraneError, ValueError):
    """The study's costs cannot be estimated."""


class Stage(NamedTuple):
    """The cost of one stage."""

    name: str
    jobs: int
    """All jobs: with a GPU, without one, and local."""
    folders: tuple[str, ...]
    """Folders that the stage writes: globs below the study's results."""
    gpu_jobs: int = 0
    gpu_hours: float = 0.0
    disk: float = 0.0
    """Bytes under results/."""
    transfer: float = 0.0
    """Bytes from the network."""
    calls: int = 0
    """Requests to paid judges."""
    price: float = 0.0
    """In the currency of the judges' configured prices."""


def parameters(study: Study, model: str) -> float:
    """Return a model's number of parameters: from the study, or counted from the shape of a demo model.

    Raises:
        CostError: the study does not state it.
    """
    settings = study.config["models"][model]
    if "parameters" in settings:
        return float(settings["parameters"])
    if settings["source"] in ("train_demo", "finetune_demo"):
        training = study.config["demo"]["pretraining"]
        hidden, vocabulary = training["hidden_size"], training["vocabulary"]
        per_layer = 4 * hidden**2 + 3 * hidden * settings["intermediate_size"]
        return settings["layers"] * per_layer + 2 * vocabulary * hidden
    raise CostError(
        f"models.{model}.parameters: missing; the plan needs the number of parameters (LLaMA-2-7B: 6.74e9)"
    )


def assumptions(study: Study) -> Assumptions:
    """Return the assumptions of the study's plan."""
    return Assumptions(**study.config.get("plan", {}))


def estimate(study: Study, assumed: Assumptions | None = None) -> list[Stage]:
    """Return the cost of every stage of a whole study, as if it had no results yet.

    Scores, tables, figures and the record are not included: they are local jobs that take seconds.

    Args:
        study: the study.
        assumed: assumptions; default: the study's.

    Raises:
        CostError: a model's size is unknown.
    """
    assumed = assumptions(study) if assumed is None else assumed
    sizes = {model: parameters(study, model) for model in study.config["models"]}
    return [
        _models(study, sizes),
        _datasets(study),
        _corpora(study, assumed),
        _relevance(study, assumed, sizes),
        _kurtosis(study),
        _prompts(study),
        _evaluation(study, assumed, sizes),
        *([_calibration(study, assumed, sizes)] if study.calibration else []),
        *([_steering(study, assumed, sizes)] if study.steering else []),
        _judging(study, assumed),
        *_explorer(study, assumed, sizes),
    ]


def _models(study: Study, sizes: Mapping[str, float]) -> Stage:
    downloaded = sum(2 * sizes[model] for model in study.models_of("hub"))  # two bytes per weight
    texts = len(study.languages) if "demo" in study.config else 0
    return Stage("models", len(sizes) + texts, ("models", "generated"), disk=downloaded, transfer=downloaded)


def _datasets(study: Study) -> Stage:
    """Cost of the questions; files given by their address take kilobytes and are not counted."""
    sets = {b["dataset"] for b in study.config.get("benchmarks", {}).values() if "dataset" in b}
    size = DATASET_BYTES * len(sets)
    folders = ("downloads", *(f"datasets/{name}" for name in sorted(sets)))
    return Stage("data sets", len(sets) + len(study.inputs.downloads), folders, disk=size, transfer=size)


def _corpora(study: Study, assumed: Assumptions) -> Stage:
    corpora, languages = study.config["corpora"], study.languages
    tokens = sum(sample_tokens(study, language, assumed) for language in languages)
    for model in study.perplexity_models:
        tokens += sum(held_out_tokens(study, model, language, assumed) for language in languages)
    jobs, disk, transfer = len(languages) * (1 + len(study.perplexity_models)), 4.0 * tokens, 0.0
    if corpora["source"] == "hub":
        jobs += len(languages)
        transfer = len(languages) * corpora["max_files"] * assumed.gigabytes_per_file * 1e9
        disk += len(languages) * corpora["pool"] * TEXT_BYTES + assumed.gigabytes_per_file * 1e9
    folders = ("corpora", "held_out", "datasets/corpus")
    return Stage("corpora", jobs, folders, disk=disk, transfer=transfer)


def _relevance(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    """Cost of a forward and a backward pass, 2P each per token because parameters are frozen; a sweep repeats one.

    And, if there are histograms, of their pilot: a forward pass of some samples of every language.
    """
    runs, shards = 1 + len(study.masks.used_variants), study.config["corpora"]["shards"]
    each = study.config["relevance"].get("shards_per_job", shards)
    jobs = len(study.languages) * runs * -(-shards // each)
    tokens = sum(sample_tokens(study, language, assumed) for language in study.languages)
    way = relevance_way(study, assumed)
    passes = 6 if way is not None and way.sweep_tokens else 4
    computed = passes * sizes[study.identification_model] * runs * tokens
    if study.masks.has_histograms(""):
        pilot = study.config["relevance"].get("pilot", PILOT_SAMPLES)
        share = min(1.0, pilot / study.config["corpora"]["documents"])
        computed += 2 * sizes[study.identification_model] * share * tokens
        jobs += 1
    seconds = assumed.compute(computed) + 60 * jobs * assumed.start_minutes
    further = [
        BYTES[name] for run in ["", *study.masks.used_variants] for name in study.masks.accumulators(run)
    ]
    size = len(study.languages) * shards * _neurons(study) * (runs * STATISTICS_BYTES + sum(further))
    # Every shard is also in the store of parts.
    folders = ("relevance*", "bin_edges")
    return Stage("relevance", jobs, folders, gpu_jobs=jobs, gpu_hours=seconds / 3600, disk=2 * size)


def relevance_way(study: Study, assumed: Assumptions) -> Fit | None:
    """Return how relevance passes through the assumed GPU, or None if a single sample does not fit."""
    size = parameters(study, study.identification_model)
    try:
        return relevance_fit(study, size, assumed.gpu_memory * 1e9)
    except TooSmallError:
        return None


def _neurons(study: Study) -> int:
    model = study.config["models"][study.identification_model]
    return model["layers"] * model["intermediate_size"]


def _kurtosis(study: Study) -> Stage:
    """Cost of the statistics tables of every relevance run and of both halves of the texts, of masks and their null."""
    table = _neurons(study) * len(study.languages) * TABLE_BYTES
    runs, halves = 1 + len(study.masks.used_variants), len(study.inputs.halves)
    null = int(study.has_selection_null)
    drawn = study.masks.drawn()
    masks = len(study.masks.chosen_by(*BY_STATISTICS, "all", "import")) + len(drawn)
    return Stage(
        "kurtosis and masks",
        runs + halves + 1 + null + masks,  # 1: measure_stability
        ("kurtosis*", "stability", "masks"),
        disk=table * (runs + halves),
    )


def _prompts(study: Study) -> Stage:
    """Cost of rendering the prompts, once per model and without a GPU."""
    names = len(study.config.get("benchmarks", {})) + (OPEN_SUITE in study.asked)
    drawn = sum(
        len(evaluations.prompt_names(study, part))
        for model in study.evaluated_models
        for part in study.sampled_parts(model)
    )
    return Stage("prompts", names * len(study.evaluated_models) + drawn, ("prompts",))


def _evaluation(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    """Cost of every condition (each mask on each file of prompts once) and of the start of every job.

    Values of other documents, for resample ablation, are recorded in a job of their own that mostly starts.
    """
    gpus, disk, collected = study.config["evaluation"]["gpus"], 0.0, 0
    gpu_jobs = len(study.masks.resampled(study.masks.every))
    seconds = gpu_jobs * 60 * assumed.start_minutes
    for model in study.evaluated_models:
        every = [*study.asked, PERPLEXITY, *study.sampled_parts(model)]
        once = {part: part_cost(study, model, part, assumed, sizes[model]) for part in every}
        for mask_sets in evaluations.jobs(study, model):
            gpu_jobs += 1
            seconds += gpus * 60 * assumed.start_minutes
            for mask_set in mask_sets:
                masks = _distinct_masks(study, mask_set)
                parts = evaluations.parts(study, model, mask_set)
                shared = shared_seconds(study, model, parts, assumed, sizes[model])
                seconds += masks * (sum(once[part][0] for part in parts) - shared)
                disk += masks * sum(once[part][1] for part in parts)
        collected += evaluations.collecting_jobs(study, model)
    folders = ("prompts", "parts", "evaluations")
    return Stage(
        "evaluation",
        gpu_jobs + collected,
        folders,
        gpu_jobs=gpu_jobs,
        gpu_hours=seconds / 3600,
        disk=2 * disk,
    )


def _distinct_masks(study: Study, mask_set: str) -> int:
    """Return the number of masks of a set that are computed: all neurons are the same mask for every language."""
    same = mask_set == ORIGINAL or study.masks.every[mask_set]["method"] == "all"
    return 1 if same else len(study.languages)


def _calibration(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    """Cost of the measured effects, one job, and of their correlations with the criteria."""
    seconds, size = effects_cost(study, assumed, sizes[study.identification_model])
    return Stage("calibration", 2, ("effects",), gpu_jobs=1, gpu_hours=seconds / 3600, disk=size)


def _steering(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    """Cost of steering between the pairs of languages, a job for each group of mask sets, and of its scores."""
    seconds, size = steering_cost(study, assumed, sizes[study.identification_model])
    jobs = len(study.steering.groups)
    return Stage("steering", jobs + 1, ("steering",), gpu_jobs=jobs, gpu_hours=seconds / 3600, disk=size)


def _judging(study: Study, assumed: Assumptions) -> Stage:
    """Cost of the judges if no two answers are equal and none was judged before."""
    folders, judges = ("responses", "judgements"), len(study.judges.names)
    if not judges:
        return Stage("judging", 0, folders)
    masks = sum(_distinct_masks(study, name) for name in [ORIGINAL, *study.masks.shown])
    answers = len(study.evaluated_models) * masks * sum(open_question_counts(study, assumed).values())
    calls, total = 0, 0.0
    for name in study.judges.paid:
        price = study.judges.prices().get(name, {"input": 0.0, "output": 0.0})
        each = assumed.judge_tokens_in * price["input"] + assumed.judge_tokens_out * price["output"]
        calls += answers
        total += answers * each / 1e6
    jobs = 2 * judges * len(study.evaluated_models)  # ask_judge and parse_judgements
    return Stage(
        "judging", jobs, folders, calls=calls, price=total, disk=float(judges * answers * TEXT_BYTES)
    )


def _explorer(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> list[Stage]:
    """Cost of the explorer if the study has it: relevance again on the examples, of which no two share a sample."""
    if "explorer" not in study.config:
        return []
    asked, corpora, jobs = study.explorer, study.config["corpora"], len(study.languages) + 1
    examples = len(asked["mask_sets"]) * len(study.languages) * asked["neurons"] * asked["samples"]
    tokens = sum(sample_tokens(study, language, assumed) for language in study.languages)
    computed = 4 * sizes[study.identification_model] * tokens * min(1.0, examples / corpora["documents"])
    hours = (assumed.compute(computed) + 60 * jobs * assumed.start_minutes) / 3600
    size = 2.0 * 8 * asked["samples"] * len(study.languages) * corpora["shards"] * _neurons(study)
    return [Stage("explorer", jobs + 2, ("top_samples", "examples"), jobs, hours, size)]
