"""The demo: how much text is generated, and how its models are trained."""

from collections.abc import Iterator

from pydantic import Field

from crane.study.schema.fields import Given, Seed
from crane.study.schema.section import Problem, Section


class DemoData(Section):
    """Amounts of generated text, per language."""

    documents: int = Field(ge=1, description="Training documents.")
    identification: int = Field(ge=1, description="Documents of the generated corpus.")
    benchmark: int = Field(ge=1, description="Multiple-choice questions.")
    questions: int = Field(ge=1, description="Open questions.")
    held_out: float = Field(
        ge=0, lt=1, description="Share of the facts that training states but never asks about."
    )
    seed: Seed


class _Training(Section):
    steps: int = Field(ge=1, description="Number of optimiser steps.")
    batch_size: int = Field(ge=1, description="Rows per training batch.")
    length: int = Field(ge=8, le=512, description="Tokens per training row.")
    learning_rate: float = Field(gt=0, description="Peak learning rate.")


class Pretraining(_Training):
    """Size and training of the base model; `layers` and `intermediate_size` are keys of the model."""

    vocabulary: int = Field(ge=300, description="Entries of the tokenizer.")
    hidden_size: int = Field(ge=8, description="Width of the residual stream.")
    heads: int = Field(ge=1, description="Number of attention heads.")
    seed: Seed

    def problems(self) -> Iterator[Problem]:
        """Yield a number of heads that does not divide the width."""
        if self.hidden_size % self.heads:
            yield Problem("heads", f"{self.heads} does not divide hidden_size {self.hidden_size}")


class Finetuning(_Training):
    """Training of the chat model, which starts from the base model."""

    replay: float = Field(
        ge=0,
        lt=1,
        description="Share of plain statements among the documents; without them facts are forgotten.",
    )
    seed: Seed


class Demo(Section):
    """The generated texts and the training of the demo's models."""

    data: DemoData = Field(description="Amounts of generated text, per language.")
    pretraining: Given[Pretraining] = Field(
        default=None, description="Size and training of the base model (source: train_demo)."
    )
    finetuning: Given[Finetuning] = Field(
        default=None, description="Training of the chat model from the base model (source: finetune_demo)."
    )
