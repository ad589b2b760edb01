"""Scores, figures and the plan: what is computed from results, shown of them, and assumed before there are any."""

from typing import Annotated

from pydantic import Field

from crane.study.schema.fields import Given, Seed, UniqueList
from crane.study.schema.section import Section

Amount = Annotated[float, Field(ge=0)]
PositiveAmount = Annotated[float, Field(gt=0)]


class Scores(Section):
    """Scores and their intervals (method, section 9)."""

    resamples: int = Field(ge=100, description="Bootstrap samples B.")
    seed: Seed
    parallel: Given[UniqueList[str]] = Field(
        default=None,
        description="Suites (or open) in which every question is the same in all languages, which are then resampled "
        "together and compared question by question. Refused if their questions differ in number.",
    )


class Figures(Section):
    """Size and resolution of the figures."""

    width: float = Field(ge=3, le=20, description="Width in inches; 3.3 for one column, 6.9 for a page.")
    dpi: int = Field(ge=72, description="Resolution of PNG files and of rasterised points.")


class Plan(Section):
    """Assumptions of `snakemake plan` that replace those of crane.preflight.assumptions; they change no result."""

    gpu_tflops: Given[PositiveAmount] = Field(
        default=None, description="Peak throughput of one GPU in bfloat16, in TFLOP/s."
    )
    gpu_bandwidth: Given[PositiveAmount] = Field(
        default=None, description="Memory bandwidth of one GPU, in TB/s."
    )
    gpu_memory: Given[PositiveAmount] = Field(
        default=None, description="Memory of one GPU, in GB (1e9 bytes)."
    )
    utilisation: Given[Annotated[float, Field(gt=0, le=1)]] = Field(
        default=None, description="Share of the peak that forward and backward passes reach."
    )
    bandwidth_share: Given[Annotated[float, Field(gt=0, le=1)]] = Field(
        default=None, description="Share of the memory bandwidth that decoding reaches."
    )
    start_minutes: Given[Amount] = Field(
        default=None, description="Minutes to start a GPU job: Python, engine, weights."
    )
    sample_share: Given[Annotated[float, Field(gt=0, le=1)]] = Field(
        default=None,
        description="Mean length of a sample, as a share of max_tokens, while the corpora do not exist yet.",
    )
    answer_tokens: Given[PositiveAmount] = Field(
        default=None, description="Mean tokens of an open answer that ends by itself."
    )
    endless_answers: Given[Annotated[float, Field(ge=0, le=1)]] = Field(
        default=None, description="Share of open answers that run on to max_new_tokens."
    )
    tokens_per_question: Given[PositiveAmount] = Field(
        default=None, description="Tokens of a multiple-choice question or a solved example."
    )
    open_questions: Given[Annotated[int, Field(ge=1)]] = Field(
        default=None, description="Open questions per language, for files that do not exist yet."
    )
    gigabytes_per_file: Given[PositiveAmount] = Field(
        default=None, description="Gigabytes per corpus file on the Hub."
    )
    judge_tokens_in: Given[Amount] = Field(
        default=None, description="Tokens that a judge reads per answer: prompt, question and answer."
    )
    judge_tokens_out: Given[Amount] = Field(
        default=None, description="Tokens that a judge writes per answer."
    )
