"""Scores, figures and the plan: what is computed from results, shown of them, and assumed before there are any."""

from typing import Annotated

from pydantic import Field

from crane.study.schema.fields import Given, Seed
from crane.study.schema.section import Section

Amount = Annotated[float, Field(ge=0)]
PositiveAmount = Annotated[float, Field(gt=0)]


class Scores(Section):
    """Scores and their intervals (method, section 9)."""

    resamples: int = Field(ge=100, description="Bootstrap samples B.")
    seed: Seed


class Figures(Section):
    """Size and resolution of the figures."""

    width: float = Field(ge=3, le=20, description="Width in inches; 3.3 for one column, 6.9 for a page.")
    dpi: int = Field(ge=72, description="Resolution of PNG files and of rasterised points.")


class Plan(Section):
    """Assumptions of `snakemake plan` that replace those in crane.preflight.plan.Assumptions; they change no result."""

    gpu_tflops: Given[PositiveAmount] = Field(
        default=None, description="Peak throughput of one GPU in bfloat16, in TFLOP/s."
    )
    gpu_bandwidth: Given[PositiveAmount] = Field(
        default=None, description="Memory bandwidth of one GPU, in TB/s."
    )
    utilisation: Given[Annotated[float, Field(gt=0, le=1)]] = Field(
        default=None, description="Share of both peaks that is reached."
    )
    start_minutes: Given[Amount] = Field(
        default=None, description="Minutes to start a GPU job: Python, engine, weights."
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
