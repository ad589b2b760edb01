"""Interventions: what replaces zeroing the neurons of a mask."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from crane.study.interventions import canonical, changes_gates, needs_medians
from crane.study.schema.fields import Given, NonEmptyUniqueList, OnlyTrue
from crane.study.schema.section import Problem, Section

WAYS = ("scale", "mean", "resample", "op", "steer")
"""Keys of which an intervention has exactly one."""
EditSite = Annotated[
    Literal["value", "gate"],
    Field(
        description="What is changed; value (default): the input of the down projection; gate: the output of the "
        "activation function, by which the other factor of a gated MLP is multiplied (engine hf only)."
    ),
]
Factor = Given[
    Annotated[float, Field(description="Factor of op scale, or of what is set or added (default: 1).")]
]
Number = Given[Annotated[float, Field(description="What every neuron is set to, or what is added to it.")]]
Source = Given[
    Annotated[
        Literal["mean", "diffmean", "median"],
        Field(
            description="What each neuron is set to, or what is added to it, in place of a number; mean: its mean over "
            "tokens at that site; diffmean: that of a language less the mean of the other languages' means; median: "
            "the median over samples of its mean over their tokens (of values only)."
        ),
    ]
]
Of = Given[
    Annotated[
        str,
        Field(
            description="Whose mean or median: own (default: of the language whose neurons are changed), others, "
            "pooled, or a language's code."
        ),
    ]
]


class _Amount(Section):
    """An operation with what it needs; the subclasses state which operations there are."""

    factor: Factor = None
    number: Number = None

    def _amount_problems(self, op: str | None) -> Iterator[Problem]:
        """Yield what an operation needs and lacks, and what has no meaning with it."""
        source, of = getattr(self, "source", None), getattr(self, "of", None)
        given = [
            name for name in ("factor", "number", "source", "of") if getattr(self, name, None) is not None
        ]
        if op in (None, "zero"):
            with_op = "without op" if op is None else f"with op: {op}"
            yield from (Problem(name, f"has no meaning {with_op}; remove it") for name in given)
        elif op == "scale":
            yield from (
                Problem(name, "has no meaning with op: scale; remove it")
                for name in given
                if name != "factor"
            )
            if self.factor is None:
                yield Problem("factor", "missing; op: scale multiplies by it")
        elif (self.number is None) == (source is None):
            ways = "exactly one of: number, source" if hasattr(self, "source") else "number"
            yield Problem("", f"op: {op} needs {ways}")
        elif of is not None and source is None:
            yield Problem("of", "says whose mean or median; it has no meaning with number")
        elif source == "diffmean" and of in ("others", "pooled"):
            yield Problem(
                "of",
                f"diffmean compares one language with the others; {of} is not one: set own or a language",
            )


class Deactivation(_Amount):
    """How the neurons of the language to leave are deactivated."""

    op: Literal["zero", "scale", "set"] = Field(
        description="zero; scale: multiply by factor; set: to number, the same for all neurons."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what the operation lacks."""
        yield from self._amount_problems(self.op)


class Activation(_Amount):
    """How the neurons of the language to reach are activated."""

    op: Literal["scale", "set", "add"] = Field(
        description="scale: multiply by factor; set: to a number or source; add: a number or source."
    )
    source: Source = None
    of: Of = None

    def problems(self) -> Iterator[Problem]:
        """Yield what the operation lacks."""
        yield from self._amount_problems(self.op)


class MaskDeactivation(Deactivation):
    """The same, with the languages whose neurons they are."""

    languages: NonEmptyUniqueList[str] = Field(
        description="Whose neurons: own (the mask's language), others, or languages' codes."
    )


class MaskActivation(Activation):
    """The same, with the language whose neurons they are."""

    language: str = Field(description="Whose neurons: own (the mask's language), or a language's code.")


class Steer(Section):
    """Deactivate the neurons of some languages, then activate those of another; a neuron of both gets both."""

    site: Given[EditSite] = None
    deactivate: MaskDeactivation = Field(description="What is done first, and to whose neurons.")
    activate: MaskActivation = Field(description="What is done then, and to whose neurons.")


class Intervention(_Amount):
    """What replaces zeroing the neurons' outputs, given in one of five ways."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    scale: Given[Annotated[float, Field(ge=0)]] = Field(
        default=None, description="Factor; 0 masks, below 1 dampens, above 1 amplifies."
    )
    mean: Given[OnlyTrue] = Field(
        default=None,
        description="Set each neuron to its mean value on the identification model, all languages weighing the same.",
    )

    resample: Given[Annotated[int, Field(ge=1)]] = Field(
        default=None,
        description="Set each neuron to its value at the same position of another document, drawn with this seed from "
        "the relevance samples of the identification model (engine hf only).",
    )
    op: Given[Literal["zero", "scale", "set", "add"]] = Field(
        default=None,
        description="zero; scale: multiply by factor; set: to a number or source; add: a number or source.",
    )
    site: Given[EditSite] = None
    source: Source = None
    of: Of = None
    steer: Given[Steer] = Field(
        default=None,
        description="Deactivate the neurons of some languages, then activate those of another.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield an intervention given in no way or in several, and what its operation lacks."""
        ways = [name for name in WAYS if name in self.model_fields_set]
        if len(ways) != 1:
            yield Problem("", f"needs exactly one of: {', '.join(WAYS)} (found: {', '.join(ways) or 'none'})")
            return
        if self.site is not None and self.op is None:
            yield Problem("site", "belongs to op, or into steer; other interventions change the value")
        yield from self._amount_problems(self.op)

    @property
    def measured(self) -> bool:
        """Whether values are measured on texts."""
        return bool(self.mean or self.resample or self.source or (self.steer and self.steer.activate.source))

    def languages(self) -> Iterator[tuple[str, str]]:
        """Yield the languages that are named: key and code."""
        if self.of is not None:
            yield "of", self.of
        if self.steer is not None:
            yield "steer.activate.language", self.steer.activate.language
            yield from (("steer.deactivate.languages", code) for code in self.steer.deactivate.languages)
            if self.steer.activate.of is not None:
                yield "steer.activate.of", self.steer.activate.of


RELATIVE = {
    "of": ("own", "others", "pooled"),
    "languages": ("own", "others"),
    "language": ("own",),
}
"""Last part of a key -> what may stand there in place of a language's code."""


def intervention_problems(
    key: str, how: Intervention, *, languages: Collection[str], engine: str, site: str
) -> Iterator[Problem]:
    """Yield languages that the study lacks, and changes of gates that neither engine nor site has.

    Args:
        key: of the intervention.
        how: the intervention.
        languages: the study's.
        engine: of the evaluations.
        site: of the neurons.
    """
    settings = canonical(how.model_dump(exclude_unset=True))
    for where, code in how.languages():
        allowed = RELATIVE[where.rsplit(".", 1)[-1]]
        if code not in languages and code not in allowed:
            known = ", ".join([*allowed, *languages])
            yield Problem(f"{key}.{where}", f"{code!r} is not a language of this study; there are: {known}")
    yield from median_problems(f"{key}.steer.activate" if how.steer else key, settings, site)
    if changes_gates(settings):
        yield from gate_problems(f"{key}.steer.site" if how.steer else f"{key}.site", engine, site)


def median_problems(key: str, settings: Mapping[str, Any], site: str) -> Iterator[Problem]:
    """Yield that medians of gates, or of neurons at a site, are not measured; `key` is the operation's."""
    if needs_medians(settings) and (changes_gates(settings) or site != "intermediate"):
        yield Problem(
            f"{key}.source",
            "medians are measured of the values of the MLP's inner neurons alone; set site: value and relevance.site: "
            "intermediate, or source: mean",
        )


def gate_problems(key: str, engine: str, site: str) -> Iterator[Problem]:
    """Yield why gates cannot be changed by an engine, or of neurons at a site; nothing if they can."""
    if engine == "vllm":
        yield Problem(
            key,
            "engine vllm computes gate and neuron in one kernel, so that nothing can change the gate; set engine: hf, "
            "or site: value",
        )
    if site != "intermediate":
        yield Problem(
            key,
            f"relevance.site {site} has no gates: they belong to the MLP's inner neurons; set site: value",
        )
