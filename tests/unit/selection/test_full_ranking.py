"""Ranks of all neurons: a selection's neurons are the first of them, in its order."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.selection.choose import choose
from crane.selection.full_ranking import full_ranks
from support.neurons import LANGUAGES

K, I = 3, 30  # noqa: E741
CRANE = {"method": "crane", "statistic": "kurtosis", "normalise": "layer"}
METHODS: dict[str, dict[str, Any]] = {
    "a budget": {**CRANE, "rule": "margin", "budget": {"count": 8}},
    "a threshold": {**CRANE, "rule": "contrast", "threshold": 0.5},
    "the target alone": {**CRANE, "rule": "target_only", "budget": {"count": 8}},
    "a ratio": {
        "method": "dispersion", "statistic": "std", "normalise": "none", "rule": "margin", "budget": {"count": 8}
    },
    "entropy": {"method": "lape_matched", "match": "crane"},
    "ternary": {
        "method": "ternary", "kind": "any", "top_rate": 0.1, "activation_bar_ratio": 0.95, "budget": {"count": 8}
    },
    "a method without a rule": {"method": "attribution", "effect": "zero", "budget": {"count": 8}},
}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = pd.MultiIndex.from_product([LANGUAGES, range(K), range(I)], names=["language", "layer", "neuron"])
    frame = rows.to_frame(index=False)
    frame["kurtosis"] = generator.gamma(2, 3, len(frame))
    frame["std"] = generator.gamma(2, 1, len(frame))
    frame["mean"] = generator.normal(5, 1, len(frame))
    frame["tokens"] = 1000
    frame["active"] = generator.integers(0, 1000, len(frame))
    frame.loc[(frame["layer"] == 1) & (frame["neuron"] == 4) & (frame["language"] == "vi"), "kurtosis"] = (
        np.nan
    )
    return frame


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_selects_comes_first(table: pd.DataFrame, name: str) -> None:
    settings = METHODS[name]
    counts = dict.fromkeys(LANGUAGES, 8)
    chosen = choose(table, settings, LANGUAGES, counts=counts)[0].to_frame()
    ranks = full_ranks(table, settings, LANGUAGES, "intermediate")
    assert ranks.shape == (len(LANGUAGES), K, I)
    for row, language in enumerate(LANGUAGES):
        own = chosen[chosen["language"] == language].sort_values("score", ascending=False, kind="stable")
        found = ranks[row, own["layer"], own["neuron"]]
        assert (np.diff(found) > 0).all()
        if name != "a threshold":  # which leaves out neurons that others' scores exceed
            assert found.tolist() == list(range(1, 9))
        given = np.sort(ranks[row][ranks[row] > 0])
        assert given.tolist() == list(range(1, len(given) + 1))


def test_an_undefined_statistic_has_no_rank(table: pd.DataFrame) -> None:
    ranks = full_ranks(table, METHODS["a budget"], LANGUAGES, "intermediate")
    assert (ranks[:, 1, 4] == 0).all() and (ranks == 0).sum() == len(LANGUAGES)


def test_the_published_rule_of_lape_ranks_as_its_matched_form(table: pd.DataFrame) -> None:
    published = full_ranks(table, {"method": "lape", "top_rate": 0.01}, LANGUAGES, "intermediate")
    matched = full_ranks(table, METHODS["entropy"], LANGUAGES, "intermediate")
    np.testing.assert_array_equal(published, matched)


@pytest.mark.parametrize("method", ["random", "import", "all", "a_later_one"])
def test_others_rank_nothing(table: pd.DataFrame, method: str) -> None:
    assert full_ranks(table, {"method": method}, LANGUAGES, "intermediate") is None
