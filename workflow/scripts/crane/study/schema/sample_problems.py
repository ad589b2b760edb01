"""What the part of the questions for random mask sets contradicts in other sections."""

from collections.abc import Iterator, Mapping

from crane.names import OPEN_SUITE, PERPLEXITY
from crane.study.schema.any_mask_set import MaskSet
from crane.study.schema.evaluation_sample import EvaluationSample
from crane.study.schema.mask_sets import RandomMaskSet
from crane.study.schema.perplexity import Perplexity
from crane.study.schema.published import Published
from crane.study.schema.section import Problem, unless_known
from crane.study.schema.steering import Steering
from crane.study.schema.sweeps import Sweeps


def sample_problems(
    sample: EvaluationSample,
    *,
    sets: Mapping[str, MaskSet],
    suites: Mapping[str, object],
    perplexity: Perplexity | None,
    sweeps: Sweeps | None,
    steering: Steering | None,
    published: Published | None,
) -> Iterator[Problem]:
    """Yield what a study with this sample lacks, and other uses of its mask sets.

    Args:
        sample: the section.
        sets: the mask sets.
        suites: the suites of benchmarks.
        perplexity: the section, if it is measured.
        sweeps: the section, if there are any.
        steering: the section, if there is one.
        published: the section, if there is one.
    """
    shown: dict[str, list[str]] = {}
    if sweeps and sweeps.intervention:
        shown["sweeps.intervention.mask_sets"] = sweeps.intervention.mask_sets
    if perplexity:
        shown["perplexity.mask_sets"] = perplexity.mask_sets
    if steering:
        shown["steering.mask_sets"] = steering.mask_sets
    if published:
        shown["published.mask_sets"] = list(published.mask_sets)
    documents = perplexity.documents if perplexity else 0
    for name in sample.mask_sets:
        yield from unless_known("evaluation.sample.mask_sets", name, sets, "mask set")
        if name in sets and not isinstance(sets[name], RandomMaskSet):
            yield Problem(
                "evaluation.sample.mask_sets",
                f"{name!r} is not of method random; only random sets are measured on a part of the questions",
            )
            continue
        for key, names in shown.items():
            if name in names:
                yield Problem(
                    key,
                    f"{name!r} is measured on a part of the questions alone (evaluation.sample); remove it",
                )
    for suite, count in sample.questions.items():
        key = f"evaluation.sample.questions.{suite}"
        if suite == OPEN_SUITE:
            yield Problem(
                key, "each answer is judged, under all seeds; give a random mask set of few seeds for them"
            )
        elif suite == PERPLEXITY:
            if not documents:
                yield Problem(key, "the study has no section perplexity; add it, or remove this")
            elif count > documents:
                yield Problem(key, f"{count} documents exceed the {documents} of perplexity.documents")
        else:
            yield from unless_known(key, suite, suites, "suite")
