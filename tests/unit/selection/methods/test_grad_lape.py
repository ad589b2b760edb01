"""LAPE's rule on another measure: with LAPE's own probabilities it is LAPE, bit for bit."""

import numpy as np
import pytest
from crane.selection.choose import choose, columns
from crane.selection.ranking import SelectionError
from support.neurons import LANGUAGES, flags
from support.statistics import statistics

RATES = {"filter_rate": 0.7, "activation_bar_ratio": 0.8}


@pytest.fixture(scope="module")
def table():
    active = np.random.default_rng(0).integers(0, 1000, size=(3, 2, 60))
    tokens = np.broadcast_to(np.array([1000, 1200, 1100])[:, None, None], active.shape)
    return statistics(active=active, tokens=tokens, mean_abs_token=active / tokens)


def test_with_probabilities_it_is_lape(table):
    one, _ = choose(table, {"method": "lape", "top_rate": 0.2, **RATES}, LANGUAGES)
    two, _ = choose(table, {"method": "grad_lape", "top_rate": 0.2, **RATES}, LANGUAGES)
    np.testing.assert_array_equal(flags(one, (3, 2, 60)), flags(two, (3, 2, 60)))
    for language in LANGUAGES:
        for layer, scores in one.scores[language].items():
            np.testing.assert_array_equal(scores, two.scores[language][layer])


def test_at_a_budget_it_is_matched_lape(table):
    counts = dict(zip(LANGUAGES, (30, 5, 12), strict=True))
    one, beyond = choose(table, {"method": "lape_matched", "match": "x", **RATES}, LANGUAGES, counts=counts)
    settings = {"method": "grad_lape", "top_rate": 0.2, **RATES, "budget": {"match": "x"}}
    two, also = choose(table, settings, LANGUAGES, counts=counts)
    np.testing.assert_array_equal(flags(one, (3, 2, 60)), flags(two, (3, 2, 60)))
    assert beyond == also and beyond["beyond_the_published_rule"]["en"] > 0


def test_it_reads_relevances_alone_at_either_site(table):
    settings = {"method": "grad_lape", "top_rate": 0.2, **RATES}
    assert columns(settings)[3:] == ["mean_abs_token"]
    assert choose(table, settings, LANGUAGES, site="residual_write")[0].site == "residual_write"


def test_a_language_without_neurons_is_named(table):
    quiet = table.assign(mean_abs_token=table["mean_abs_token"].where(table["language"] != "vi", 1e-9))
    with pytest.raises(
        SelectionError, match=r"'vi': grad_lape selects no neuron .* its highest measure is 1e-09"
    ):
        choose(quiet, {"method": "grad_lape", "top_rate": 0.2, **RATES}, LANGUAGES)
