"""The union of all mask sets, with those of other packages (`crane.methods`)."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from crane.methods import MethodError, every, settings_model
from crane.study.schema.mask_sets import (
    ActivationMaskSet,
    AllMaskSet,
    ComparedMaskSet,
    CraneMaskSet,
    DispersionMaskSet,
    ImportMaskSet,
    LapeMaskSet,
    LapeMatchedMaskSet,
    MaskSetSettings,
    RandomMaskSet,
    TernaryMaskSet,
)
from crane.study.schema.method_sets import (
    AttributionMaskSet,
    AveragePrecisionMaskSet,
    GradLapeMaskSet,
    OverlapMaskSet,
    PlndMaskSet,
    ScoredMaskSet,
)

RankedMaskSet = ComparedMaskSet | ScoredMaskSet | TernaryMaskSet | GradLapeMaskSet
"""Those that rank all neurons, so that any budget can be applied."""
if TYPE_CHECKING:
    MaskSet = (
        CraneMaskSet
        | DispersionMaskSet
        | ActivationMaskSet
        | AttributionMaskSet
        | PlndMaskSet
        | TernaryMaskSet
        | LapeMaskSet
        | LapeMatchedMaskSet
        | GradLapeMaskSet
        | AveragePrecisionMaskSet
        | OverlapMaskSet
        | RandomMaskSet
        | AllMaskSet
        | ImportMaskSet
    )
else:
    _MODELS = [settings_model(name) for name in every()]
    for _model in _MODELS:
        if not issubclass(_model, MaskSetSettings):
            raise MethodError(
                f"{_model.__module__}.{_model.__name__} is no subclass of {MaskSetSettings.__name__}"
            )
    MaskSet = Annotated[
        reduce(or_, [*_MODELS, RandomMaskSet, AllMaskSet, ImportMaskSet]), Field(discriminator="method")
    ]
