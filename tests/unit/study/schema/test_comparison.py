"""The section `comparison`: what it needs, what there is not, and that it is off without it."""

from typing import Any

import pytest
from crane.study import outputs
from crane.study.study import Study
from support.study_config import REMOVE, changed, messages

ASKED = {"suite": "quiz", "methods": {"CRANE": ["crane"], "Random": ["random"]}}


def test_it_is_absent_by_default_and_adds_one_table_and_one_figure(config: dict[str, Any]) -> None:
    plain = Study(changed(config, comparison=REMOVE) if "comparison" in config else config)
    more = Study(changed(config, comparison=ASKED))
    assert plain.comparison == {} and more.comparison == {"model": "base", **ASKED}
    for names in (outputs.tables, outputs.figures):
        assert set(names(more)) - set(names(plain)) == {"methods"}


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"comparison__suite": "absent"}, "comparison.suite: 'absent' is not a suite of this study; there are: quiz"),
        ({"comparison__methods": {"A": ["absent"]}}, "comparison.methods: 'absent' is not a mask set of this study"),
        ({"comparison__methods": {}}, "comparison.methods: "),
        (
            {"comparison__suite": "perplexity", "perplexity__mask_sets": ["crane"]},
            "comparison.methods: 'random' is not in perplexity.mask_sets; add it there",
        ),
    ],
)  # fmt: skip
def test_what_there_is_not_is_refused(config: dict[str, Any], edits: dict[str, Any], expected: str) -> None:
    (line,) = messages(changed(changed(config, comparison=ASKED), **edits))
    assert line.strip().startswith(expected)


def test_what_a_statistic_needs_is_said(config: dict[str, Any]) -> None:
    masks = Study(
        changed(
            config,
            relevance_variants={"logprob": {"rules": "input_x_gradient", "objective": "next_token_logprob"}},
            mask_sets__energy={
                "label": "Energy", "method": "activation", "statistic": "energy", "normalise": "none",
                "rule": "margin", "budget": {"fraction": 0.1},
            },
            mask_sets__mean={
                "label": "Mean", "method": "attribution", "effect": "mean", "relevance": "logprob",
                "normalise": "none", "rule": "margin", "budget": {"fraction": 0.1},
            },
        )
    ).masks  # fmt: skip
    assert [masks.adds(name) for name in ("crane", "energy", "mean")] == [
        "", "energy: 36 B", "relevance logprob; gradients: 16 B",
    ]  # fmt: skip
