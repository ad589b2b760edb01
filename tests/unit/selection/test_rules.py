"""Selection rules against loops over single neurons, LAPE against its published rule in PyTorch."""

import math

import numpy as np
import pytest
import torch
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.normalisation import normalise
from crane.selection.lape import lape, lape_matched
from crane.selection.random_like import random_like
from crane.selection.ranking import SelectionError
from crane.selection.rules import by_rule, max_other
from hypothesis import given, settings
from hypothesis import strategies as st

LANGUAGES = ["en", "zh", "vi"]
HOWS = ["layer", "global", "rank", "minmax", "none"]


def values(seed=0, undefined=True):
    """Return kurtosis-like values `[3, 4, 30]`, some of them undefined."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=(3, 4, 30)) * rng.uniform(1, 50, size=(3, 4, 1))
    if undefined:
        x[rng.random(x.shape) < 0.05] = np.nan
    return x


def flags(neurons, shape):
    found = np.zeros(shape, bool)
    for row, language in enumerate(neurons):
        for k, indices in neurons[language].items():
            found[row, k, indices] = True
    return found


# Normalisation ------------------------------------------------------------------------------------------


def normalised_by_loop(x, how):
    result = np.full_like(x, np.nan)
    for language, layer, neuron in np.argwhere(np.isfinite(x)):
        value = x[language, layer, neuron]
        peers = x[language] if how == "global" else x[language, layer]
        peers = peers[np.isfinite(peers)]
        result[language, layer, neuron] = {
            "layer": lambda v, p: (v - p.mean()) / p.std(),
            "global": lambda v, p: (v - p.mean()) / p.std(),
            "rank": lambda v, p: ((p < v).sum() + ((p == v).sum() + 1) / 2) / len(p),
            "minmax": lambda v, p: (v - p.min()) / (p.max() - p.min()),
            "none": lambda v, p: v,
        }[how](value, peers)
    return result


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seed", range(3))
def test_normalisation_equals_a_loop(how, seed):
    x = values(seed)
    x[:, :, 7] = x[:, :, 8]  # ties
    np.testing.assert_allclose(normalise(x, how), normalised_by_loop(x, how), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("how", HOWS)
def test_normalisation_leaves_its_input_alone(how):
    x = values()
    before = x.copy()
    normalise(x, how)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("how", ["layer", "global"])
@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, 1 / 3, 1e6 / 7])
def test_z_scores_of_constants_are_zero(how, value):
    x = np.full((2, 2, 11), value)
    x[0, 0, 3] = np.nan
    scores = normalise(x, how)
    assert np.isnan(scores[0, 0, 3])
    assert (scores[np.isfinite(x)] == 0).all()


def test_minmax_of_constants_is_zero():
    assert (normalise(np.full((2, 2, 5), 4.0), "minmax") == 0).all()


def test_unknown_normalisation():
    with pytest.raises(ValueError, match="'zscore'; known: layer, global, rank, minmax, none"):
        normalise(values(), "zscore")


# Rules --------------------------------------------------------------------------------------------------


def selected_by_loop(scores, rule, threshold):
    found = np.zeros(scores.shape, bool)
    for language, layer, neuron in np.ndindex(*scores.shape):
        own = scores[language, layer, neuron]
        others = [scores[row, layer, neuron] for row in range(len(scores)) if row != language]
        if not np.isfinite([own, *others]).all():
            continue
        found[language, layer, neuron] = {
            "contrast": own > threshold and all(other < threshold for other in others),
            "target_only": own > threshold,
            "margin": own - max(others) > threshold,
        }[rule]
    return found


@pytest.mark.parametrize("rule", ["contrast", "target_only", "margin"])
@pytest.mark.parametrize("threshold", [0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_rules_equal_a_loop(rule, threshold, seed):
    scores = normalise(values(seed), "layer")
    neurons = by_rule(scores, LANGUAGES, rule=rule, threshold=threshold)
    expected = selected_by_loop(scores, rule, threshold)
    assert expected.any()
    np.testing.assert_array_equal(flags(neurons, scores.shape), expected)
    margin = scores - max_other(scores)
    for row, language in enumerate(LANGUAGES):
        for k, indices in neurons[language].items():
            np.testing.assert_array_equal(neurons.scores[language][k], margin[row, k, indices])


def test_a_score_on_the_threshold_is_on_neither_side():
    scores = np.array([[[2.0, 1.0, 2.0]], [[0.0, 0.0, 1.0]]])
    scores = np.concatenate([scores, scores[::-1]], 2)  # each language has one neuron of its own
    neurons = by_rule(scores, ["en", "vi"], rule="contrast", threshold=1.0)
    assert neurons["en"][0].tolist() == [0]
    assert neurons["vi"][0].tolist() == [3]


@pytest.mark.parametrize("rule", ["margin", "contrast"])
@pytest.mark.parametrize("top", [1, 3])
def test_a_budget_takes_the_highest_margins(rule, top):
    scores = normalise(values(), "layer")
    threshold = None if rule == "margin" else 0.5
    neurons = by_rule(scores, LANGUAGES, rule=rule, threshold=threshold, top=top)
    allowed = selected_by_loop(scores, rule, -math.inf if threshold is None else threshold)
    margin = scores - max_other(scores)
    for row, language in enumerate(LANGUAGES):
        assert neurons.total(language) == top
        best = sorted(np.argwhere(allowed[row]).tolist(), key=lambda at: -margin[row, at[0], at[1]])[:top]
        assert flags(neurons, scores.shape)[row].nonzero()[0].tolist() == sorted(k for k, _ in best)
        assert {(k, i) for k, v in neurons[language].items() for i in v} == {(k, i) for k, i in best}


def test_budgets_may_differ_between_languages():
    scores = normalise(values(2), "layer")
    counts = {"en": 3, "zh": 11, "vi": 1}
    chosen = by_rule(scores, LANGUAGES, rule="margin", top=counts)
    assert {language: chosen.total(language) for language in LANGUAGES} == counts
    for row, (language, count) in enumerate(counts.items()):
        alone = by_rule(scores, LANGUAGES, rule="margin", top=count)
        np.testing.assert_array_equal(
            flags(chosen, scores.shape)[row], flags(alone, scores.shape)[row], language
        )


def test_target_only_without_a_threshold_takes_the_highest_scores():
    scores = normalise(values(3), "layer")
    chosen = flags(by_rule(scores, LANGUAGES, rule="target_only", top=9), scores.shape)
    comparable = np.isfinite(scores).all(0)
    for row in range(3):
        own = scores[row][comparable]
        assert scores[row][chosen[row]].min() == np.sort(own)[-9]
        assert chosen[row].sum() == 9


def test_ties_in_a_budget_go_to_the_lower_layer_and_index():
    scores = np.zeros((2, 2, 5))
    scores[0, 0, [1, 3]] = scores[0, 1, [0, 2]] = 2.0
    neurons = by_rule(scores, ["en", "vi"], rule="margin", top=3)
    assert {k: v.tolist() for k, v in neurons["en"].items()} == {0: [1, 3], 1: [0]}
    assert neurons.total("vi") == 3


@pytest.mark.parametrize("rule", ["contrast", "target_only", "margin"])
def test_undefined_neurons_are_never_selected(rule):
    scores = normalise(values(undefined=False), "layer")
    scores[0, 1, 4] = 99.0
    scores[2, 1, 4] = np.nan  # undefined in one language is undefined in all
    neurons = by_rule(scores, LANGUAGES, rule=rule, threshold=0.2)
    assert not any(4 in neurons[language].get(1, ()) for language in LANGUAGES)
    everything = by_rule(scores, LANGUAGES, rule="margin", top=4 * 30 - 1)
    assert not any(4 in everything[language][1] for language in LANGUAGES)
    with pytest.raises(SelectionError, match="119 neurons and 120 were asked for"):
        by_rule(scores, LANGUAGES, rule="margin", top=120)


def test_an_empty_selection_names_the_language_and_its_highest_score():
    scores = np.zeros((2, 3, 4))
    scores[0, 0, 0], scores[1, 1, 1] = 5.0, 1.25
    for rule in ("contrast", "target_only"):
        with pytest.raises(SelectionError, match=r"'vi'.*selects 0 neurons.*highest score is 1\.25"):
            by_rule(scores, ["en", "vi"], rule=rule, threshold=3.0)
    scores[1, 1, 1] = np.nan
    with pytest.raises(SelectionError, match=r"'vi'.*highest score is 0"):
        by_rule(scores, ["en", "vi"], rule="margin", threshold=0.5)
    with pytest.raises(SelectionError, match=r"'en'.*nan"):
        by_rule(np.full((2, 3, 4), np.nan), ["en", "vi"], rule="margin")


def test_wrong_calls():
    scores = np.zeros((2, 1, 3))
    with pytest.raises(ValueError, match="needs a threshold"):
        by_rule(scores, ["en", "vi"], rule="contrast")
    with pytest.raises(ValueError, match="unknown rule 'best'; known: contrast, target_only, margin"):
        by_rule(scores, ["en", "vi"], rule="best")
    with pytest.raises(ValueError, match="two languages"):
        by_rule(scores[:1], ["en"], rule="margin")


# LAPE ---------------------------------------------------------------------------------------------------


def lape_as_published(active, tokens, top=0.01, filter=0.95, bar=0.95):
    """The published rule (Tang et al. 2024), written in PyTorch from its description.

    Returns bool `[L, K, I]`; entropies must be distinct.
    """
    p = torch.stack([active[row].double() / tokens[row] for row in range(len(tokens))], -1)  # [K, I, L]
    normalised = p / p.sum(-1, keepdim=True)
    normalised[torch.isnan(normalised)] = 0
    logs = torch.where(normalised > 0, normalised.log(), 0.0)
    entropy = -(normalised * logs).sum(-1)
    flat = p.flatten()
    at_filter = flat.kthvalue(round(len(flat) * filter)).values
    entropy[(p > at_filter).sum(-1) == 0] = torch.inf
    index = entropy.flatten().topk(round(entropy.numel() * top), largest=False).indices
    at_bar = flat.kthvalue(round(len(flat) * bar)).values
    flags = torch.zeros(p.shape[2], entropy.numel(), dtype=torch.bool)
    for neuron in index.tolist():
        if entropy.flatten()[neuron].isfinite():
            flags[:, neuron] = p.reshape(-1, p.shape[2])[neuron] > at_bar
    return flags.reshape(-1, *entropy.shape).numpy()


def activations(seed, languages=3, layers=3, neurons=200):
    """Return random counters `[L, K, I]`, tokens `[L]`; few neurons fire often, some of them in one language."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(40_000, 90_000, (languages,), generator=generator)
    p = torch.rand(languages, layers, neurons, generator=generator, dtype=torch.float64) ** 4
    p = p * torch.rand(layers, neurons, generator=generator, dtype=torch.float64)
    return (p * tokens[:, None, None]).long() + 1, tokens


@given(seed=st.integers(0, 10**6), top=st.sampled_from([0.05, 0.1, 0.2]), cut=st.sampled_from([0.8, 0.9, 0.95]),
       bar=st.sampled_from([0.8, 0.9]))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_lape_equals_the_published_rule(seed, top, cut, bar):
    active, tokens = activations(seed)
    expected = lape_as_published(active, tokens, top, cut, bar)
    if not expected.any((1, 2)).all():
        with pytest.raises(SelectionError, match="LAPE selects no neuron"):
            lape(active, tokens, LANGUAGES, top=top, filter=cut, bar=bar)
        return
    found = lape(active, tokens, LANGUAGES, top=top, filter=cut, bar=bar)
    np.testing.assert_array_equal(flags(found, active.shape), expected)


def test_lape_with_its_published_settings():
    active, tokens = activations(5, neurons=4000)
    found = lape(active, tokens, LANGUAGES)
    expected = lape_as_published(active, tokens)
    assert expected.any((1, 2)).all()
    np.testing.assert_array_equal(flags(found, active.shape), expected)


def test_lape_without_a_neuron_names_the_language():
    active, tokens = activations(1)
    active[1] = active[1] // 1000
    with pytest.raises(
        SelectionError, match=r"'zh': LAPE selects no neuron.*highest activation probability is 0\.0"
    ):
        lape(active, tokens, LANGUAGES, top=0.1)


def entropies(active, tokens):
    p = (active.double() / tokens[:, None, None]).numpy()
    assert (p.sum(0) > 0).all()
    share = p / p.sum(0)
    return p, -(share * np.log(np.where(share > 0, share, 1))).sum(0)


@pytest.mark.parametrize("seed", range(3))
def test_matched_lape_has_the_counts_and_follows_the_entropy(seed):
    active, tokens = activations(seed)
    p, entropy = entropies(active, tokens)
    at = np.sort(p, axis=None)[round(0.9 * p.size) - 1]
    candidates = p > at  # filter and bar are the same quantile here
    counts = {"en": 5, "zh": int(candidates[1].sum()), "vi": int(candidates[2].sum()) + 40}
    neurons, beyond = lape_matched(active, tokens, LANGUAGES, counts, filter=0.9, bar=0.9)
    chosen = flags(neurons, active.shape)
    assert {name: neurons.total(name) for name in LANGUAGES} == counts
    assert beyond == {"en": 0, "zh": 0, "vi": 40}
    # en: the five candidates of lowest entropy; zh: all candidates; vi: all of them and 40 more.
    assert (chosen[0] & ~candidates[0]).sum() == 0
    assert entropy[chosen[0]].max() < entropy[candidates[0] & ~chosen[0]].min()
    np.testing.assert_array_equal(chosen[1], candidates[1])
    assert chosen[2][candidates[2]].all()
    # Beyond them: where vi is the most active language, by ascending entropy.
    foremost = (p[2] == p.max(0)) & ~candidates[2]
    more = chosen[2] & ~candidates[2]
    assert (more & ~foremost).sum() == 0
    assert entropy[more].max() < entropy[foremost & ~more].min()


def test_matched_lape_can_take_every_neuron_but_not_more():
    active, tokens = activations(0, neurons=10)
    neurons, _ = lape_matched(active, tokens, LANGUAGES, dict.fromkeys(LANGUAGES, 30))
    assert flags(neurons, active.shape).all()
    with pytest.raises(SelectionError, match="'zh': 31 neurons asked for, 30 exist"):
        lape_matched(active, tokens, LANGUAGES, {"en": 1, "zh": 31, "vi": 1})


def test_matched_lape_takes_neurons_that_never_fire_last():
    # Their entropy over the languages is 0/0, not the lowest: they belong to no language.
    active, tokens = activations(2, neurons=50)
    active[:, :, 7] = 0
    counts = dict.fromkeys(LANGUAGES, 3 * 49)
    neurons, _ = lape_matched(active, tokens, LANGUAGES, counts)
    assert not flags(neurons, active.shape)[:, :, 7].any()


# Random -------------------------------------------------------------------------------------------------


def drawn(neurons, language):
    return {k: indices.tolist() for k, indices in neurons[language].items()}


def test_random_sets_have_the_same_counts_per_layer():
    rng = np.random.default_rng(0)
    like = NeuronSet.from_flags(
        rng.random((3, 4, 50)) < [[[0.1]], [[0.5]], [[1.1]]], LANGUAGES, "residual_write"
    )
    neurons = random_like(like, 50, seed=3)
    assert neurons.counts().equals(like.counts())
    assert (neurons.layers, neurons.site) == (4, "residual_write")
    assert drawn(neurons, "vi") == {k: list(range(50)) for k in range(4)}  # all of them
    assert drawn(neurons, "en") != drawn(like, "en")


def test_random_sets_depend_on_the_seed_only():
    like = NeuronSet.from_flags(np.random.default_rng(1).random((3, 4, 50)) < 0.3, LANGUAGES)
    one = random_like(like, 50, seed=0)
    assert random_like(like, 50, seed=0) == one
    for language in LANGUAGES:
        assert drawn(random_like(like, 50, seed=1), language) != drawn(one, language)
    # Neither the order of the languages nor their number matters, nor the order of the layers.
    backwards = NeuronSet(
        {name: dict(reversed(like[name].items())) for name in reversed(LANGUAGES[1:])}, layers=4
    )
    again = random_like(backwards, 50, seed=0)
    assert all(drawn(again, name) == drawn(one, name) for name in again)


def test_random_languages_are_drawn_apart():
    flags = np.zeros((3, 2, 50), bool)
    flags[:, :, :10] = True
    neurons = random_like(NeuronSet.from_flags(flags, LANGUAGES), 50, seed=0)
    assert drawn(neurons, "en") != drawn(neurons, "zh")


def test_random_draws_are_uniform():
    like = NeuronSet({"en": {0: np.arange(5)}}, layers=1)
    hits = np.bincount(
        np.concatenate([random_like(like, 20, seed)["en"][0] for seed in range(400)]), minlength=20
    )
    assert hits.sum() == 2000
    assert ((hits - 100) ** 2 / 100).sum() < 60  # chi-square of 19 degrees; the draw is fixed by its seeds


def test_a_layer_too_narrow_is_refused():
    with pytest.raises(SelectionError, match="layer 0: 5 of 4 neurons"):
        random_like(NeuronSet({"en": {0: np.arange(5)}}, layers=1), 4, seed=0)
