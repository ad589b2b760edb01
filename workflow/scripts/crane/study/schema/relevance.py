"""Relevance: how predictions are attributed to neurons."""

from collections.abc import Iterator
from typing import Literal

from pydantic import ConfigDict, Field

from crane.study.schema.fields import Dtype, Given
from crane.study.schema.section import Problem, Section

Rules = Literal["attnlrp", "cp_lrp", "input_x_gradient"]
Objective = Literal[
    "next_token_logit", "next_token_logprob", "last_token_max_logit", "next_token_logit_plus_last_max"
]
Aggregate = Literal["sum", "mean", "sum_abs", "max_abs"]
Site = Literal["intermediate", "residual_write"]


class Relevance(Section):
    """Attribution of predictions to neurons (method, section 2)."""

    rules: Rules = Field(description="LRP rule set: AttnLRP, CP-LRP, or plain input x gradient.")
    objective: Objective = Field(
        description="What is explained; next_token_logit, the paper's, is the mean logit of the true next token."
    )
    aggregate: Aggregate = Field(
        description="How the relevances of a sample's tokens become one value; the signed sum conserves relevance."
    )
    site: Site = Field(
        description="What a neuron is: an input (intermediate) or an output (residual_write) of the down projection."
    )
    skip_first: bool = Field(description="Leave out the first position (BOS).")
    dtype: Dtype
    batch_size: int = Field(
        ge=1,
        description="Samples per forward and backward pass; affects speed and memory only, and reruns nothing.",
    )
    shards_per_job: Given[int] = Field(
        default=None,
        ge=1,
        description="Shards of a language that one job measures (default: all); affects speed only.",
    )


class RelevanceVariant(Section):
    """Settings that replace those of `relevance`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    rules: Given[Rules] = Field(default=None, description="As relevance.rules.")
    objective: Given[Objective] = Field(default=None, description="As relevance.objective.")
    aggregate: Given[Aggregate] = Field(default=None, description="As relevance.aggregate.")
    skip_first: Given[bool] = Field(default=None, description="As relevance.skip_first.")

    def problems(self) -> Iterator[Problem]:
        """Yield a variant that equals the study's own relevance."""
        if not self.model_fields_set:
            yield Problem(
                "", f"replaces no setting; give at least one of: {', '.join(type(self).model_fields)}"
            )
