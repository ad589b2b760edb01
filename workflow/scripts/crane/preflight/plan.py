"""What a study will cost before it runs: jobs, GPU hours, disk, transfers and judge calls, from an explicit model.

Every figure is an estimate from counts and assumed speeds, never a measurement; docs/cluster.md derives the formulas.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from crane.errors import CraneError
from crane.names import OPEN_SUITE, ORIGINAL
from crane.study.study import Study

QUESTIONS = {"mmlu": 14042, "ceval-valid": 1346, "belebele": 900}
"""Questions of published tasks, by the beginning of their names."""
CHOICES = 4
STATISTICS_BYTES = 9 * 8
"""Of one neuron in a shard: seven moments and the sum of values in float64, and one int64 counter."""
TABLE_BYTES = 110
"""Of one neuron and language in the tables of kurtosis, compressed; 109 on the demo."""
ANSWER_BYTES = 50
"""Of one answered question in a benchmark file, compressed; 48 on the demo."""
TEXT_BYTES = 5_000
"""Of one open answer, or of one document of a corpus."""
DATASET_BYTES = 10e6
"""Of one data set of multiple-choice questions; MMLU, the largest of the paper's, has about as much."""


class CostError(CraneError, ValueError):
    """The study's costs cannot be estimated."""


class Assumptions(NamedTuple):
    """What is assumed where nothing is known; the optional section `plan` of a study overrides each."""

    gpu_tflops: float = 312.0
    """Peak of one GPU in bfloat16, TFLOP/s (A100)."""
    gpu_bandwidth: float = 2.0
    """Memory bandwidth of one GPU, TB/s (A100 80 GB)."""
    utilisation: float = 0.4
    """Share of either peak that is reached."""
    start_minutes: float = 3.0
    """Start of a GPU job: Python, engine, weights."""
    tokens_per_question: float = 200.0
    """Of a multiple-choice question or a solved example."""
    open_questions: int = 70
    """Per language, where the file is not there yet (MVicuna has 70)."""
    gigabytes_per_file: float = 0.4
    """Of one file of a corpus on the hub (Wikipedia's are 0.2 to 0.4)."""
    judge_tokens_in: float = 700.0
    """Of one judge call; prompt, question and answer."""
    judge_tokens_out: float = 150.0


class Stage(NamedTuple):
    """The cost of one stage."""

    name: str
    jobs: int
    """All of them: on GPUs, on other nodes, and those that run beside Snakemake."""
    folders: tuple[str, ...]
    """Where the stage writes: globs below the study's results."""
    gpu_jobs: int = 0
    gpu_hours: float = 0.0
    disk: float = 0.0
    """Bytes under results/."""
    transfer: float = 0.0
    """Bytes from the network."""
    calls: int = 0
    """Of paid judges."""
    price: float = 0.0
    """In the currency of the judges' configured prices."""


def parameters(study: Study, model: str) -> float:
    """Return a model's number of parameters: as the study says, or counted from its shape for a demo model.

    Raises:
        CostError: the study does not say.
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


def estimate(study: Study) -> list[Stage]:
    """Return the cost of every stage of a whole study, as if nothing had been made yet.

    Scores, tables, figures and the record are none of them: local jobs of seconds.

    Raises:
        CostError: a model's size is not known.
    """
    assumed = Assumptions(**study.config.get("plan", {}))
    sizes = {model: parameters(study, model) for model in study.config["models"]}
    return [
        _models(study, sizes),
        _datasets(study),
        _corpora(study, assumed),
        _relevance(study, assumed, sizes),
        _kurtosis(study),
        _benchmarks(study, assumed, sizes),
        _answers(study, assumed, sizes),
        _perplexity(study, assumed, sizes),
        _judging(study, assumed),
    ]


def _models(study: Study, sizes: Mapping[str, float]) -> Stage:
    downloaded = sum(2 * sizes[model] for model in study.models_of("hub"))  # two bytes per weight
    texts = len(study.languages) if "demo" in study.config else 0
    return Stage("models", len(sizes) + texts, ("models", "generated"), disk=downloaded, transfer=downloaded)


def _datasets(study: Study) -> Stage:
    """Cost the questions; the files that a study gives by their address are kilobytes."""
    sets = {b["dataset"] for b in study.config.get("benchmarks", {}).values() if "dataset" in b}
    size = DATASET_BYTES * len(sets)
    folders = ("downloads", *(f"datasets/{name}" for name in sorted(sets)))
    return Stage("data sets", len(sets) + len(study.inputs.downloads), folders, disk=size, transfer=size)


def _corpora(study: Study, assumed: Assumptions) -> Stage:
    corpora = study.config["corpora"]
    tokens = len(study.languages) * corpora["documents"] * corpora["max_tokens"]
    jobs, disk, transfer = len(study.languages), 4.0 * tokens, 0.0
    if corpora["source"] == "hub":
        jobs += len(study.languages)
        transfer = len(study.languages) * corpora["max_files"] * assumed.gigabytes_per_file * 1e9
        disk += len(study.languages) * corpora["pool"] * TEXT_BYTES + assumed.gigabytes_per_file * 1e9
    return Stage("corpora", jobs, ("corpora", "datasets/corpus"), disk=disk, transfer=transfer)


def _flops(assumed: Assumptions) -> float:
    return assumed.gpu_tflops * 1e12 * assumed.utilisation


def _relevance(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    corpora = study.config["corpora"]
    runs = len(study.languages) * _relevance_runs(study)
    jobs, tokens = runs * corpora["shards"], runs * corpora["documents"] * corpora["max_tokens"]
    seconds = tokens * 4 * sizes[study.identification_model] / _flops(assumed)
    return Stage(
        "relevance",
        jobs,
        ("relevance*",),
        gpu_jobs=jobs,
        gpu_hours=seconds / 3600 + jobs * assumed.start_minutes / 60,
        disk=jobs * _neurons(study) * STATISTICS_BYTES,
    )


def _relevance_runs(study: Study) -> int:
    return 1 + len(study.masks.used_variants)


def _neurons(study: Study) -> int:
    model = study.config["models"][study.identification_model]
    return model["layers"] * model["intermediate_size"]


def _kurtosis(study: Study) -> Stage:
    """Cost the tables of statistics of every relevance run and of both halves of the texts, and the masks."""
    table = _neurons(study) * len(study.languages) * TABLE_BYTES
    masks = sum("neurons" not in settings for settings in study.masks.every.values())
    return Stage(
        "kurtosis and masks",
        study.layers * _relevance_runs(study)
        + len(study.inputs.halves)
        + 1
        + masks,  # 1: what compares the halves
        ("kurtosis*", "stability", "masks"),
        disk=table * (_relevance_runs(study) + len(study.inputs.halves)),
    )


def _benchmarks(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    jobs, hours, disk = 0, 0.0, 0.0
    for suite in study.suites:
        names = study.config["suites"][suite]
        tokens = _suite_tokens(study, suite, assumed)
        questions = sum(_questions(study, name) for name in names)
        for model in study.evaluated_models:
            seconds = tokens * 2 * sizes[model] / _flops(assumed)
            swept = _swept(study, suite) if model == study.identification_model else set()
            for masks in [*_masks_per_set(study).values(), *[len(study.languages)] * len(swept)]:
                jobs += 1
                hours += masks * seconds / 3600 + _start(study, assumed)
                disk += masks * questions * ANSWER_BYTES
    return Stage("benchmarks", jobs, ("benchmarks",), gpu_jobs=jobs, gpu_hours=hours, disk=disk)


def _swept(study: Study, suite: str) -> set[str]:
    """Return the mask sets that only sweeps use, of one suite."""
    sweeps = [name for name, sweep in study.config.get("sweeps", {}).items() if sweep["suite"] == suite]
    return {name for sweep in sweeps for name in study.masks.sweeps.sets_of(sweep)} & set(
        study.masks.sweeps.sets
    )


def _answers(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    if OPEN_SUITE not in study.asked:
        return Stage("open answers", 0, ("generations",))
    questions = _open_questions(study, assumed)
    batch, longest = (
        study.config["evaluation"]["batch_size"],
        study.config["open_questions"]["max_new_tokens"],
    )
    steps = sum(longest * -(-count // batch) for count in questions.values())
    jobs, hours, disk = 0, 0.0, 0.0
    for model in study.evaluated_models:
        # A step of decoding reads all weights, two bytes each, whatever the batch.
        seconds = steps * 2 * sizes[model] / (assumed.gpu_bandwidth * 1e12 * assumed.utilisation)
        for masks in _masks_per_set(study).values():
            jobs += 1
            hours += masks * seconds / 3600 + _start(study, assumed)
            disk += masks * sum(questions.values()) * TEXT_BYTES
    return Stage("open answers", jobs, ("generations",), gpu_jobs=jobs, gpu_hours=hours, disk=disk)


def _perplexity(study: Study, assumed: Assumptions, sizes: Mapping[str, float]) -> Stage:
    folders = ("held_out", "perplexity")
    asked = study.config.get("perplexity")
    if not asked:
        return Stage("perplexity", 0, folders)
    tokens = len(study.languages) * asked["documents"] * asked["max_tokens"]
    jobs, hours = 0, 0.0
    for model in study.perplexity_models:
        seconds = tokens * 2 * sizes[model] / _flops(assumed)
        for masks in [1, *[len(study.languages)] * len(study.perplexity_sets)]:
            jobs += 1
            hours += masks * seconds / 3600 + _start(study, assumed)
    held_out = len(study.languages) * len(study.perplexity_models)
    return Stage(
        "perplexity",
        jobs + held_out,
        folders,
        gpu_jobs=jobs,
        gpu_hours=hours,
        disk=4.0 * tokens * len(study.perplexity_models),
    )


def _start(study: Study, assumed: Assumptions) -> float:
    """Return the GPU hours that the start of an evaluation job takes."""
    return study.config["evaluation"]["gpus"] * assumed.start_minutes / 60


def _masks_per_set(study: Study) -> dict[str, int]:
    return {ORIGINAL: 1, **dict.fromkeys(study.masks.shown, len(study.languages))}


def _questions(study: Study, name: str) -> int:
    benchmark = study.config["benchmarks"][name]
    if benchmark.get("data") == "generated":
        return study.config["demo"]["data"]["benchmark"]
    if "data" in benchmark and Path(benchmark["data"]).exists():
        with Path(benchmark["data"]).open(encoding="utf-8") as lines:
            return sum(1 for line in lines if line.strip())
    return next((n for task, n in QUESTIONS.items() if benchmark["task"].startswith(task)), 1000)


def _suite_tokens(study: Study, suite: str, assumed: Assumptions) -> float:
    """Return the prompt tokens that are computed for all questions of a suite.

    With vLLM a question is sent once and its shared examples come from the prefix cache; otherwise every choice is a
    prompt of its own.
    """
    total = 0.0
    for name in study.config["suites"][suite]:
        fewshot = study.config["benchmarks"][name]["fewshot"]
        computed = 1 if study.config["engine"] == "vllm" else CHOICES * (1 + fewshot)
        total += _questions(study, name) * computed * assumed.tokens_per_question
    return total


def _open_questions(study: Study, assumed: Assumptions) -> dict[str, int]:
    counts = {}
    for language in study.languages:
        path = Path(study.inputs.questions(language))
        if study.config["open_questions"]["source"] == "generated":
            counts[language] = study.config["demo"]["data"]["questions"]
        elif path.exists():
            with path.open(encoding="utf-8") as lines:
                counts[language] = sum(1 for line in lines if line.strip())
        else:
            counts[language] = assumed.open_questions
    return counts


def _judging(study: Study, assumed: Assumptions) -> Stage:
    """Cost the judges as if no two answers were equal and none had been judged before."""
    if not study.judges.names:
        return Stage("judging", 0, ("responses", "judgements"))
    sets, judges = _masks_per_set(study), len(study.judges.names)
    answers = len(study.evaluated_models) * sum(sets.values()) * sum(_open_questions(study, assumed).values())
    calls, total = 0, 0.0
    for name in study.judges.paid:
        price = study.config["judges"][name].get("price", {"input": 0.0, "output": 0.0})
        each = assumed.judge_tokens_in * price["input"] + assumed.judge_tokens_out * price["output"]
        calls += answers
        total += answers * each / 1e6
    return Stage(
        "judging",
        2 * judges * len(study.evaluated_models) * len(sets),  # one asks, one reads
        ("responses", "judgements"),
        calls=calls,
        price=total,
        disk=float(judges * answers * TEXT_BYTES),
    )


def render(stages: list[Stage]) -> str:
    """Return the estimate as a table for a terminal, with its total."""
    rows = [
        (s.jobs, s.gpu_jobs, s.gpu_hours, s.disk / 1e9, s.transfer / 1e9, s.calls, s.price) for s in stages
    ]
    total = [sum(column) for column in zip(*rows, strict=True)]
    heads = ["stage", "jobs", "GPU jobs", "GPU hours", "disk, GB", "transfer, GB", "judge calls", "price"]
    return tabulate(
        [(s.name, *row) for s, row in zip(stages, rows, strict=True)] + [("total", *total)],
        heads,
        floatfmt=("", "", "", ",.1f", ",.2f", ",.1f", "", ",.2f"),
        intfmt=",",
    )
