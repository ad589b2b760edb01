"""What in this study corresponds to what in the paper."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from pydantic import Field

from crane.names import OPEN_SUITE
from crane.study.schema.models import DemoModel, Model
from crane.study.schema.section import Problem, Section, unless_known

LANGUAGE_OF = {
    "mmlu": "en", "ceval": "zh", "belebele_vi": "vi", "open_en": "en", "open_zh": "zh", "open_vi": "vi",
}  # fmt: skip
"""The language of each of the paper's benchmarks."""
SHAPE = {"layers": 32, "intermediate_size": 11008}
"""The shape of LLaMA-2-7B, the paper's model."""


class Published(Section):
    """What in this study corresponds to what in the paper, so that both numbers are shown together."""

    same_model: bool = Field(
        description="The models are the paper's; if not, every table and figure says that they differ."
    )
    models: dict[str, Literal["llama2-7b-base", "llama2-7b-chat"]] = Field(
        min_length=1, description="Model of the study -> model of the paper."
    )
    mask_sets: dict[str, Literal["crane", "lape", "random"]] = Field(
        min_length=1, description="Mask set of the study -> method of the paper."
    )
    benchmarks: dict[str, Literal["mmlu", "ceval", "belebele_vi", "open_en", "open_zh", "open_vi"]] = Field(
        min_length=1,
        description="Benchmark of the study -> benchmark of the paper; the open questions of a language are "
        "open_<language>.",
    )


def published_problems(
    published: Published,
    *,
    models: Mapping[str, Model],
    evaluated_models: Collection[str],
    mask_sets: Collection[str],
    language_of: Mapping[str, str],
) -> Iterator[Problem]:
    """Yield what does not correspond to the paper.

    Args:
        published: the section.
        models: the study's models.
        evaluated_models: names of the models that are evaluated.
        mask_sets: names of the mask sets.
        language_of: language of each benchmark of the study, including the open questions.
    """
    for name in published.models:
        yield from unless_known(f"published.models.{name}", name, evaluated_models, "evaluated model")
        if published.same_model and name in models:
            yield from _model_problems(name, models[name])
    for name in published.mask_sets:
        yield from unless_known(f"published.mask_sets.{name}", name, mask_sets, "mask set")
    for name, paper in published.benchmarks.items():
        key = f"published.benchmarks.{name}"
        yield from unless_known(key, name, language_of, "benchmark")
        if name not in language_of:
            continue
        if language_of[name] != LANGUAGE_OF[paper]:
            yield Problem(
                key, f"is in language {language_of[name]!r}, the paper's {paper!r} in {LANGUAGE_OF[paper]!r}"
            )
        if name.startswith(f"{OPEN_SUITE}_") != paper.startswith(f"{OPEN_SUITE}_"):
            yield Problem(
                key, f"one of {name!r} and {paper!r} consists of open questions, the other does not"
            )


def _model_problems(name: str, model: Model) -> Iterator[Problem]:
    """Yield why a model cannot be the paper's."""
    if isinstance(model, DemoModel):
        yield Problem("published.same_model", f"true, but model {name!r} is trained by the demo")
    for key, expected in SHAPE.items():
        if (value := getattr(model, key)) != expected:
            yield Problem(
                "published.same_model", f"true, but model {name!r} has {key} {value}, the paper's {expected}"
            )
