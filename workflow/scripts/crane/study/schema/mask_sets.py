"""Mask sets: how the neurons to mask are chosen."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from crane.study.file_names import file_name
from crane.study.schema.fields import File, Fraction, Given, Label
from crane.study.schema.interventions import Intervention
from crane.study.schema.section import Problem, Section

Normalisation = Literal["layer", "global", "rank", "minmax", "none"]
Quantile = Annotated[float, Field(ge=0, le=1)]


class Budget(Section):
    """A number of neurons per language, given in one of three ways."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 2})

    match: Given[str] = Field(default=None, description="Mask set whose counts per language are used.")
    fraction: Given[Fraction] = Field(default=None, description="Share of all neurons, per language.")
    count: Given[Annotated[int, Field(ge=1)]] = Field(default=None, description="Neurons per language.")
    fill: Given[bool] = Field(
        default=None,
        description="Fill the budget with neurons that are not specific to the language (default: false; fewer are "
        "selected, and tables say so).",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a budget given in no way or in several."""
        ways = self.model_fields_set - {"fill"}
        if len(ways) != 1:
            given = ", ".join(sorted(ways)) or "none"
            yield Problem("", f"needs exactly one of: match, fraction, count (found: {given})")


class MaskSetSettings(Section):
    """What every mask set has."""

    label: Label
    intervention: Given[Intervention] = Field(
        default=None, description="What is done to the neurons' outputs; without it they are set to zero."
    )

    def accumulators(self) -> frozenset[str]:
        """Return what must be accumulated on the texts besides the moments of relevance.

        Keys of `crane.relevance.accumulated_columns.COLUMNS`, in the relevance run that the set names, or else in the
        study's own.
        """
        return frozenset()


class ComparedMaskSet(MaskSetSettings):
    """Settings of the methods that rank all neurons by one statistic per language."""

    normalise: Normalisation = Field(
        description="Scale of the statistic: z-score within each layer (the paper), global z-score, rank, minmax, none."
    )
    rule: Literal["contrast", "target_only", "margin"] = Field(
        description="contrast: above the threshold in the language and below it in all others; target_only: above it; "
        "margin: difference to the highest other language."
    )
    threshold: Given[float] = Field(
        default=None, description="On the normalised statistic (contrast, target_only) or on the margin."
    )
    budget: Given[Budget] = Field(
        default=None,
        description="Keep only the neurons of highest margin; without it, all that the rule selects.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a rule without what it needs."""
        if self.rule != "margin" and self.threshold is None:
            yield Problem("threshold", f"missing; rule {self.rule!r} needs it")
        if self.rule == "margin" and self.threshold is None and self.budget is None:
            yield Problem(
                "",
                "rule 'margin' needs a threshold or a budget, or it selects every neuron above zero",
            )


class OfRelevanceMaskSet(ComparedMaskSet):
    """Settings of the methods whose statistic is one of relevance."""

    relevance: Given[str] = Field(
        default=None, description="One of relevance_variants; without it, the study's own relevance."
    )


class CraneMaskSet(OfRelevanceMaskSet):
    """The paper's method: kurtosis of relevance."""

    method: Literal["crane"] = Field(description="crane: kurtosis of relevance, the paper's method.")


class DispersionMaskSet(OfRelevanceMaskSet):
    """This project's own criterion, another statistic of the same relevances; never called CRANE."""

    method: Literal["dispersion"] = Field(
        description="dispersion: another statistic of the same relevances, this project's own criterion."
    )
    statistic: Literal["std", "mean_abs", "mean", "fourth_root", "skewness"] = Field(
        description="Statistic of the relevance distribution."
    )
    contrast: Given[Literal["log_ratio", "difference"]] = Field(
        default=None,
        description="How languages are compared; log_ratio (default of std, mean_abs and fourth_root with normalise: "
        "none): each divided by its own mean, as a ratio; difference: as they are.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a log ratio of a statistic that has none."""
        yield from super().problems()
        if self.contrast == "log_ratio" and self.statistic in ("mean", "skewness"):
            yield Problem("contrast", f"a {self.statistic} can be negative and has no ratio; set difference")
        if self.contrast == "log_ratio" and self.normalise != "none":
            yield Problem("contrast", f"log_ratio needs normalise: none, not {self.normalise}")


class ActivationMaskSet(ComparedMaskSet):
    """A baseline without gradients: how often, or how strongly, neurons are active."""

    method: Literal["activation"] = Field(
        description="activation: how often or how strongly neurons are active, a baseline without gradients."
    )
    statistic: Literal["probability", "mean_value", "effect_size", "energy"] = Field(
        description="probability: share of tokens with a positive activation; mean_value: mean value over the tokens; "
        "effect_size: difference of that to the closest other language, by the standard deviation; energy: norm of "
        "what the MLP's output loses without the neuron."
    )
    contrast: Given[Literal["log_ratio", "difference"]] = Field(
        default=None,
        description="How languages are compared; log_ratio (default of energy with normalise: none): each divided by "
        "its own mean, as a ratio; difference: as they are.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a log ratio of a statistic that has none, and effect sizes on another scale."""
        yield from super().problems()
        if self.contrast == "log_ratio" and self.statistic != "energy":
            yield Problem("contrast", f"log_ratio is for energy, not {self.statistic}; set difference")
        if self.contrast == "log_ratio" and self.normalise != "none":
            yield Problem("contrast", f"log_ratio needs normalise: none, not {self.normalise}")
        if self.statistic == "effect_size" and self.normalise != "none":
            yield Problem(
                "normalise",
                f"{self.normalise} moves the 0 of effect sizes, which compare languages already; set none",
            )

    def accumulators(self) -> frozenset[str]:
        """Return what the statistic needs."""
        needed = {"effect_size": {"values"}, "energy": {"energy"}}
        return frozenset(needed.get(self.statistic, ()))


class TernaryMaskSet(MaskSetSettings):
    """Specific, related and general neurons by entropy and frequency of activation (arXiv 2505.21505)."""

    method: Literal["ternary"] = Field(
        description="ternary: lowest entropy less a weighted frequency, as published (arXiv 2505.21505)."
    )
    kind: Literal["specific", "related", "general", "any"] = Field(
        description="Neurons that are active in this language alone, in several but not all, in all, or any of these."
    )
    weight: Given[Annotated[float, Field(ge=0)]] = Field(
        default=None,
        description="Weight of the frequency (the paper's lambda); without it, the largest one with which no chosen "
        "neuron is active in all languages.",
    )
    top_rate: Fraction = Field(description="Share of all neurons to keep, those of lowest score.")
    activation_bar_ratio: Quantile = Field(
        description="Quantile of all activation probabilities that a language must exceed to own a neuron."
    )
    budget: Given[Budget] = Field(
        default=None, description="So many neurons of best rank per language in place of the published set."
    )


class EntropyMaskSet(MaskSetSettings):
    """Settings of LAPE's quantiles."""

    filter_rate: Quantile = Field(
        description="Quantile of all activation probabilities that at least one language must exceed."
    )
    activation_bar_ratio: Quantile = Field(
        description="Quantile of all activation probabilities that a language must exceed to get the neuron."
    )


class LapeMaskSet(EntropyMaskSet):
    """Language Activation Probability Entropy, the published rule (Tang et al. 2024)."""

    method: Literal["lape"] = Field(description="lape: lowest activation probability entropy, as published.")
    top_rate: Fraction = Field(description="Share of all neurons to keep, those of lowest entropy.")


class LapeMatchedMaskSet(EntropyMaskSet):
    """LAPE's ranking, cut to another mask set's counts."""

    method: Literal["lape_matched"] = Field(
        description="lape_matched: LAPE's ranking, cut to the counts of another mask set."
    )
    match: str = Field(description="Mask set whose counts per language are used.")


class RandomMaskSet(MaskSetSettings):
    """Random neurons, as many per layer and language as another mask set has."""

    method: Literal["random"] = Field(
        description="random: random neurons, as many per layer and language as another mask set has."
    )
    match: str = Field(description="Mask set whose counts per layer and language are used.")
    match_on: Given[list[Literal["layer", "magnitude", "energy"]]] = Field(
        default=None,
        description="What the drawn neurons share with the set's: their layers (default: layer), or also the mean "
        "magnitude of their relevance (layer, magnitude) or the mean energy of their output (layer, energy); neurons "
        "of the set are then left out.",
    )
    seeds: int = Field(ge=1, description="Number of draws; the sets are named <name>-0, <name>-1, ...")

    def problems(self) -> Iterator[Problem]:
        """Yield a draw from other layers."""
        if self.match_on is not None and "layer" not in self.match_on:
            yield Problem(
                "match_on", "needs layer: neurons of different layers have relevances of different sizes"
            )
        if self.match_on is not None and {"magnitude", "energy"} <= set(self.match_on):
            yield Problem("match_on", "magnitude and energy are two orders of the neurons; give one of them")

    def accumulators(self) -> frozenset[str]:
        """Return the energy if it is matched."""
        return frozenset({"energy"} & set(self.match_on or ()))


class AllMaskSet(MaskSetSettings):
    """All MLP neurons, whatever the language: the destroyed model that LangSpec-F1 is to be held against."""

    method: Literal["all"] = Field(
        description="all: every MLP neuron of the model, for every language: what LangSpec-F1 a destroyed model has."
    )


class ImportMaskSet(MaskSetSettings):
    """Masks from a file."""

    method: Literal["import"] = Field(description="import: masks from a file.")
    file: File = Field(
        description="A .pth as published with LAPE, or a .parquet of this workflow; a path or {url, sha256}."
    )
    languages: Given[list[str]] = Field(
        default=None, description="Languages of the lists in a .pth file, in their order."
    )

    @property
    def file_name(self) -> str:
        """Name of the file, without folders."""
        return file_name(self.file if isinstance(self.file, str) else {"url": self.file.url})

    def problems(self) -> Iterator[Problem]:
        """Yield a file of a kind that cannot be read."""
        if not self.file_name.endswith((".pth", ".parquet")):
            yield Problem(
                "file",
                f"{self.file_name!r} is neither a .pth as published with LAPE nor a .parquet of this workflow",
            )


RelevanceMaskSet = CraneMaskSet | DispersionMaskSet
MatchedMaskSet = LapeMatchedMaskSet | RandomMaskSet
