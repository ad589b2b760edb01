"""The ternary rule against its formula by hand, and its search for the weight."""

import numpy as np
import pandas as pd
import pytest
import torch
from crane.selection.choose import choose, columns
from crane.selection.lape import lape
from crane.selection.ranking import SelectionError
from crane.selection.ternary import RESOLUTION, Ternary, ternary
from support.neurons import LANGUAGES, flags

SETTINGS = {"top_rate": 0.3, "activation_bar_ratio": 0.6, "kind": "any"}


def counters(seed=0, layers=2, neurons=60):
    """Return counters `[3, K, I]` and tokens `[3]`: a fifth of the neurons fires often everywhere."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.tensor([1000, 800, 1200])
    p = 0.3 * torch.rand(3, layers, neurons, generator=generator, dtype=torch.float64)
    often = p[:, :, ::5]
    often.copy_(0.6 + 0.3 * torch.rand(often.shape, generator=generator, dtype=torch.float64))
    return (p * tokens[:, None, None]).long(), tokens


def score_by_hand(probabilities, weight):
    """The published formula for one neuron, in plain Python."""
    total = sum(probabilities)
    shares = [p / total for p in probabilities] if total else [1 / 3] * 3
    shares = [max(share, 1e-12) for share in shares]
    shares = [share / sum(shares) for share in shares]
    entropy = -sum(share * np.log(share) for share in shares) / np.log(3)
    return entropy - weight * max(probabilities) / ((1 + 1 / 2 + 1 / 3) / 3)


def as_published(active, tokens, weight, top_rate, bar):
    """Return who owns the kept neurons, bool `[3, K, I]`, neuron by neuron."""
    p = (active / tokens[:, None, None]).numpy()
    scores = sorted((score_by_hand(p[:, k, i], weight), k, i) for k, i in np.ndindex(p.shape[1:]))
    threshold = sorted(p.ravel())[round(bar * p.size) - 1]
    owned = np.zeros(p.shape, bool)
    for _, k, i in scores[: round(top_rate * len(scores))]:
        owned[:, k, i] = p[:, k, i] > threshold
    return owned


@pytest.mark.parametrize("weight", [0, 0.05, 0.2])
def test_it_is_the_published_rule(weight):
    active, tokens = counters()
    owned = as_published(active, tokens, weight, 0.3, 0.7)
    found, facts = ternary(
        active, tokens, LANGUAGES, top_rate=0.3, activation_bar_ratio=0.7, weight=weight, kind="any"
    )
    np.testing.assert_array_equal(flags(found, active.shape), owned)
    assert facts["owned_by_none"]["en"] == round(0.3 * 120) - owned.any(0).sum()
    assert facts["weight"] == dict.fromkeys(LANGUAGES, weight)


def test_the_kinds_are_numbers_of_owners():
    active, tokens = counters()
    settings = {**SETTINGS, "top_rate": 1.0, "weight": 0.1}
    kinds = {
        kind: flags(ternary(active, tokens, LANGUAGES, **{**settings, "kind": kind})[0], active.shape)
        for kind in ("specific", "related", "general", "any")
    }
    for kind, owners in (("specific", 1), ("related", 2), ("general", 3)):
        assert set(kinds[kind].sum(0)[kinds[kind].any(0)]) == {owners}
    np.testing.assert_array_equal(kinds["specific"] | kinds["related"] | kinds["general"], kinds["any"])


def test_the_weight_is_the_largest_that_keeps_no_neuron_of_all_languages():
    active, tokens = counters()
    measure = Ternary(active, tokens, top_rate=0.3, activation_bar_ratio=0.6)
    weight = measure.largest_weight()
    assert 0 < weight < 0.2
    assert not measure.has_general(weight) and measure.has_general(weight + RESOLUTION)
    assert ternary(active, tokens, LANGUAGES, **SETTINGS)[1]["weight"]["en"] == weight


def test_without_a_weight_the_error_says_so():
    active, tokens = torch.full((3, 1, 10), 90), torch.tensor([100, 100, 100])
    active[:, 0, 0] = torch.tensor([1, 1, 0])
    with pytest.raises(SelectionError, match="even with the weight 0"):
        ternary(active, tokens, LANGUAGES, top_rate=1.0, activation_bar_ratio=0.05, kind="any")


def test_without_frequency_it_orders_as_lape_without_its_filter():
    active, tokens = counters(3)
    asked = {"top_rate": 0.1, "activation_bar_ratio": 0.3}
    one = ternary(active, tokens, LANGUAGES, **asked, weight=0, kind="any")[0]
    other = lape(active, tokens, LANGUAGES, **asked, filter_rate=0)
    np.testing.assert_array_equal(flags(one, active.shape), flags(other, active.shape))


def test_a_budget_takes_owned_neurons_first_and_any_number():
    active, tokens = counters()
    settings = {**SETTINGS, "kind": "specific", "weight": 0.1}
    measure = Ternary(active, tokens, top_rate=0.3, activation_bar_ratio=0.6)
    own = measure.owned & (measure.owned.sum(0) == 1)
    few = min(own.sum((1, 2)))
    found = ternary(active, tokens, LANGUAGES, **settings, counts=dict.fromkeys(LANGUAGES, few))[0]
    chosen = flags(found, active.shape)
    assert (chosen.sum((1, 2)) == few).all() and not (chosen & ~own).any()
    every = dict.fromkeys(LANGUAGES, 120)
    assert flags(ternary(active, tokens, LANGUAGES, **settings, counts=every)[0], active.shape).all()
    for count, message in (
        (121, "121 neurons asked for, 120 exist"),
        (0, "a budget of 0 of 120 neurons is none"),
    ):
        with pytest.raises(SelectionError, match=message):
            ternary(active, tokens, LANGUAGES, **settings, counts=dict.fromkeys(LANGUAGES, count))


def test_a_language_without_a_neuron_is_named():
    active, tokens = counters()
    active[2] = 0
    with pytest.raises(SelectionError, match=r"'vi': ternary selects no neuron of kind 'any' \(top_rate 0.3"):
        ternary(active, tokens, LANGUAGES, **{**SETTINGS, "weight": 0.1})
    found, _ = ternary(active, tokens, LANGUAGES, **{**SETTINGS, "weight": 0.1}, may_be_empty=True)
    assert found.total("vi") == 0


def test_a_mask_set_is_selected_from_the_statistics_table():
    active, tokens = counters()
    table = pd.DataFrame(
        [
            (language, layer, neuron, int(active[row, layer, neuron]), int(tokens[row]))
            for row, language in enumerate(LANGUAGES)
            for layer, neuron in np.ndindex(*active.shape[1:])
        ],
        columns=["language", "layer", "neuron", "active", "tokens"],
    )
    settings = {"method": "ternary", **SETTINGS}
    assert columns(settings) == list(table)
    assert choose(table, settings, LANGUAGES)[0] == ternary(active, tokens, LANGUAGES, **SETTINGS)[0]
    budget = choose(table, {**settings, "budget": {"fraction": 0.05}}, LANGUAGES)[0]
    assert {budget.total(code) for code in LANGUAGES} == {6}


def test_scores_follow_the_order_of_a_budget():
    """A smaller budget is what scores highest in a larger one."""
    active, tokens = counters()
    few, many = (
        ternary(
            active,
            tokens,
            LANGUAGES,
            **{**SETTINGS, "kind": "specific"},
            counts=dict.fromkeys(LANGUAGES, count),
        )[0]
        for count in (40, 100)
    )
    for row, language in enumerate(LANGUAGES):
        scores = {
            (k, i): s
            for k in many[language]
            for i, s in zip(many[language][k], many.scores[language][k], strict=True)
        }
        best = sorted(scores, key=scores.__getitem__)[-40:]
        assert set(best) == {(k, i) for k, i in zip(*np.nonzero(flags(few, active.shape)[row]), strict=True)}


def test_a_null_without_a_weight_has_the_weight_0():
    active, tokens = torch.full((3, 1, 10), 90), torch.tensor([100, 100, 100])
    active[:, 0, 0] = torch.tensor([1, 1, 0])
    asked = {"top_rate": 1.0, "activation_bar_ratio": 0.05, "kind": "specific"}
    found, facts = ternary(active, tokens, LANGUAGES, **asked, may_be_empty=True)
    assert facts["weight"]["en"] == 0 and found.total("en") == 0
