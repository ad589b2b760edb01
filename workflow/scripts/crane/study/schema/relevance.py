"""Relevance: how predictions are attributed to neurons."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from crane.relevance.accumulated_columns import PILOT_SAMPLES, TOKEN_CAP
from crane.study.schema.fields import Dtype, Given
from crane.study.schema.section import Problem, Section

Rules = Literal["attnlrp", "cp_lrp", "input_x_gradient"]
Objective = Literal[
    "next_token_logit", "next_token_logprob", "last_token_max_logit", "next_token_logit_plus_last_max"
]
Aggregate = Literal["sum", "mean", "sum_abs", "max_abs"]
Site = Literal["intermediate", "residual_write"]
Router = Literal["constant", "uniform"]


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
    router: Given[Router] = Field(
        default=None,
        description="For models with experts, under AttnLRP: the router's weights are constants (constant, default) or "
        "share the relevance with the experts (uniform, as in LXT since August 2026).",
    )
    routed_samples: Given[int] = Field(
        default=None,
        ge=2,
        description="For models with experts: texts that must have been routed to a neuron for its kurtosis, skewness "
        "and outlier share to be defined (default 30).",
    )
    dtype: Dtype
    batch_tokens: Given[int] = Field(
        default=None,
        ge=1,
        description="Tokens per forward and backward pass, padding included (default 8192); affects speed and memory "
        "only, and is halved when memory runs out.",
    )
    batch_size: Given[int] = Field(
        default=None,
        ge=1,
        description="Samples per forward and backward pass at most (default: as many as batch_tokens holds); affects "
        "speed and memory only.",
    )
    sweep_tokens: Given[int] = Field(
        default=None,
        ge=1,
        description="Tokens that pass through each layer together if the model does not fit into the GPU's memory "
        "(default 32768); affects speed and memory only.",
    )
    memory_gb: Given[int] = Field(
        default=None,
        ge=2,
        description="GB (1e9 bytes) of the device that relevance may take, weights included (default: what is free on "
        "the GPU); what does not fit passes layer by layer, weights in host memory. Affects speed only.",
    )
    shards_per_job: Given[int] = Field(
        default=None,
        ge=1,
        description="Shards of a language that one job measures (default: all); affects speed only.",
    )

    pilot: Given[int] = Field(
        default=None,
        ge=2,
        description="Samples of each language by which the edges of histograms are fixed, for the methods "
        f"average_precision and overlap (default {PILOT_SAMPLES}).",
    )
    token_cap: Given[int] = Field(
        default=None,
        ge=1,
        description="Tokens of each language in the histograms of the method overlap, the first ones of every shard "
        f"(default {TOKEN_CAP}).",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a router rule that the rule set does not have."""
        if self.router is not None and self.rules != "attnlrp":
            yield Problem("router", f"a rule of attnlrp, but rules is {self.rules}; remove it")


class RelevanceVariant(Section):
    """Settings that replace those of `relevance`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    rules: Given[Rules] = Field(default=None, description="As relevance.rules.")
    objective: Given[Objective] = Field(default=None, description="As relevance.objective.")
    aggregate: Given[Aggregate] = Field(default=None, description="As relevance.aggregate.")
    skip_first: Given[bool] = Field(default=None, description="As relevance.skip_first.")
    router: Given[Router] = Field(default=None, description="As relevance.router.")

    def problems(self) -> Iterator[Problem]:
        """Yield a variant that equals the study's own relevance."""
        if not self.model_fields_set:
            yield Problem(
                "", f"replaces no setting; give at least one of: {', '.join(type(self).model_fields)}"
            )


def variant_problems(variants: Mapping[str, RelevanceVariant], relevance: Relevance) -> Iterator[Problem]:
    """Yield variants with a router rule that their rule set does not have."""
    for name, variant in variants.items():
        rules = variant.rules or relevance.rules
        if variant.router is not None and rules != "attnlrp":
            yield Problem(
                f"relevance_variants.{name}.router", f"a rule of attnlrp, but rules is {rules}; remove it"
            )
