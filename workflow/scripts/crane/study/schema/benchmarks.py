"""Multiple-choice benchmarks, the data sets of their questions, and the suites that are evaluated together."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from crane.names import OPEN_SUITE
from crane.study.schema.fields import Given, LocalPath, Repository, Revision, ending_problems
from crane.study.schema.section import Problem, Section, unless_known


class Dataset(Section):
    """A data set of the Hugging Face Hub."""

    repository: Repository
    revision: Revision
    files: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1,
        description="Globs of the files needed; README.md, which lists the data set's parts, is always added.",
    )


class Benchmark(Section):
    """A multiple-choice benchmark in one language."""

    label: str = Field(description="Column head in tables and figures.")
    language: str = Field(description="Language of the questions.")
    task: str = Field(
        description="An lm-eval task or group, or a file of workflow/tasks without its extension."
    )
    data: Given[LocalPath] = Field(
        default=None,
        description="File of questions (JSON, CSV, TSV or Parquet) that replaces the task's data set; generated: the "
        "demo's questions.",
    )
    dataset: Given[str] = Field(
        default=None, description="One of `datasets`: the pinned copy of the task's own data set."
    )
    fewshot: int = Field(ge=0, description="Solved examples before each question.")
    overlong: Given[Literal["refuse", "drop"]] = Field(
        default=None,
        description="Questions longer than the model can read: refuse (default) stops; drop leaves them out, and every "
        "table says how many.",
    )
    chance: float = Field(ge=0, lt=1, description="Accuracy of guessing.")
    stratify_by: Given[str] = Field(
        default=None,
        description="Field of a question; the bootstrap resamples within its values (default: the lm-eval task).",
    )
    cluster_by: Given[str] = Field(
        default=None,
        description="Field of a question; questions that share its value are resampled together.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield two sources for the same questions, and a file that cannot be read."""
        if self.data is not None and self.dataset is not None:
            yield Problem("", "data and dataset exclude each other; remove one")
        if self.data not in (None, "generated"):
            yield from ending_problems("data", self.data)


class ContinuationBenchmark(Section):
    """Four-choice questions made from held-out texts of the corpora: which passage continues this beginning?"""

    label: str = Field(description="Column head in tables and figures.")
    language: str = Field(description="Language of the questions.")
    source: Literal["continuation"] = Field(
        description="continuation: the beginning of a held-out passage, its true continuation among three others."
    )
    questions: int = Field(ge=4, description="Number of questions.")
    context_tokens: int = Field(ge=1, description="Tokens of the beginning.")
    continuation_tokens: int = Field(ge=1, description="Tokens of every continuation.")


def _kind(value: Any) -> str:
    source = value.get("source") if isinstance(value, Mapping) else getattr(value, "source", None)
    return "task" if source is None else "continuation"


AnyBenchmark = Annotated[
    Annotated[Benchmark, Tag("task")] | Annotated[ContinuationBenchmark, Tag("continuation")],
    Discriminator(_kind),
]
Suites = Mapping[str, Sequence[str]]


def benchmark_problems(
    benchmarks: Mapping[str, AnyBenchmark],
    datasets: Collection[str],
    languages: Collection[str],
) -> Iterator[Problem]:
    """Yield names that benchmarks use and the study lacks, and data sets that no benchmark uses."""
    for name, benchmark in benchmarks.items():
        yield from unless_known(f"benchmarks.{name}.language", benchmark.language, languages, "language")
        if isinstance(benchmark, Benchmark) and benchmark.dataset is not None:
            yield from unless_known(f"benchmarks.{name}.dataset", benchmark.dataset, datasets, "data set")
    used = {benchmark.dataset for benchmark in benchmarks.values() if isinstance(benchmark, Benchmark)}
    for name in datasets:
        if name not in used:
            yield Problem(f"datasets.{name}", "no benchmark takes its questions from it; remove it")


def parallel_problems(
    parallel: Collection[str], suites: Suites, benchmarks: Mapping[str, AnyBenchmark]
) -> Iterator[Problem]:
    """Yield parallel suites that are not among the study's, and those whose languages can have different questions."""
    key = "scores.parallel"
    for suite in parallel:
        if suite == OPEN_SUITE:
            continue
        yield from unless_known(key, suite, [*suites, OPEN_SUITE], "suite")
        for name in suites.get(suite, ()):
            benchmark = benchmarks.get(name)
            if isinstance(benchmark, ContinuationBenchmark):
                yield Problem(
                    key, f"{suite!r}: continuation questions are other ones in each language; remove it"
                )
            elif benchmark is not None and benchmark.overlong == "drop":
                yield Problem(
                    key,
                    f"{suite!r}: {name} leaves out long questions, in one language and not in another; remove it, or "
                    "overlong: drop",
                )


def suite_problems(
    suites: Suites, benchmarks: Mapping[str, AnyBenchmark], languages: Collection[str]
) -> Iterator[Problem]:
    """Yield suites without exactly one benchmark per language, and benchmarks that are not in exactly one suite."""
    suite_of: dict[str, str] = {}
    for suite, names in suites.items():
        key = f"suites.{suite}"
        for name in names:
            yield from unless_known(key, name, benchmarks, "benchmark")
            if name in suite_of:
                yield Problem(key, f"{name!r} is already in suite {suite_of[name]!r}")
            suite_of[name] = suite
        covered = [benchmarks[name].language for name in names if name in benchmarks]
        for language in languages:
            if covered.count(language) != 1:
                yield Problem(
                    key,
                    f"{covered.count(language)} benchmarks in language {language!r}; LangSpec-F1 needs exactly one "
                    "per language",
                )
    for name in benchmarks:
        if name not in suite_of:
            yield Problem(f"benchmarks.{name}", "in no suite; add it to one or remove it")
