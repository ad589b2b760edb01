"""LAPE against its published rule in PyTorch."""

import numpy as np
import pytest
import torch
from crane.selection.lape import lape, lape_matched
from crane.selection.ranking import SelectionError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.neurons import LANGUAGES, flags


def lape_as_published(active, tokens, top=0.01, filter_rate=0.95, activation_bar_ratio=0.95):
    """The published rule (Tang et al. 2024), written in PyTorch from its description.

    Returns bool `[L, K, I]`; entropies must be distinct.
    """
    p = torch.stack([active[row].double() / tokens[row] for row in range(len(tokens))], -1)  # [K, I, L]
    normalised = p / p.sum(-1, keepdim=True)
    normalised[torch.isnan(normalised)] = 0
    logs = torch.where(normalised > 0, normalised.log(), 0.0)
    entropy = -(normalised * logs).sum(-1)
    flat = p.flatten()
    at_filter = flat.kthvalue(round(len(flat) * filter_rate)).values
    entropy[(p > at_filter).sum(-1) == 0] = torch.inf
    index = entropy.flatten().topk(round(entropy.numel() * top), largest=False).indices
    at_bar = flat.kthvalue(round(len(flat) * activation_bar_ratio)).values
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
            lape(active, tokens, LANGUAGES, top_rate=top, filter_rate=cut, activation_bar_ratio=bar)
        return
    found = lape(active, tokens, LANGUAGES, top_rate=top, filter_rate=cut, activation_bar_ratio=bar)
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
        lape(active, tokens, LANGUAGES, top_rate=0.1)


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
    neurons, beyond = lape_matched(
        active, tokens, LANGUAGES, counts, filter_rate=0.9, activation_bar_ratio=0.9
    )
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


@pytest.mark.parametrize("count", [5, 60, 200])
def test_scores_of_matched_lape_follow_its_order(count):
    """The neurons of highest score among all are those that a smaller count takes."""
    active, tokens = activations(3, neurons=100)
    rates = {"filter_rate": 0.9, "activation_bar_ratio": 0.9}
    every, _ = lape_matched(active, tokens, LANGUAGES, dict.fromkeys(LANGUAGES, 300), **rates)
    some, _ = lape_matched(active, tokens, LANGUAGES, dict.fromkeys(LANGUAGES, count), **rates)
    for row, language in enumerate(LANGUAGES):
        scores = np.stack([every.scores[language][k] for k in range(3)])
        least = min(scores.min() for scores in some.scores[language].values() if len(scores))
        np.testing.assert_array_equal(flags(some, active.shape)[row], scores >= least)


def test_a_null_of_lape_may_have_no_neuron():
    active, tokens = activations(1)
    active[1] = active[1] // 1000
    neurons = lape(active, tokens, LANGUAGES, top_rate=0.1, may_be_empty=True)
    assert neurons.total("zh") == 0 < neurons.total("en")


def test_probabilities_of_experts_are_those_of_routed_tokens():
    """As if every neuron had been seen as often: the same neurons; one that has seen nothing is never active."""
    active, tokens = activations(5)
    shares = torch.rand(3, 3, 200, generator=torch.Generator().manual_seed(6)) > 0.5
    routed = torch.where(shares, tokens[:, None, None], 2 * tokens[:, None, None])
    seen = torch.where(shares, active, 2 * active)
    options = {"top_rate": 0.1, "filter_rate": 0.8, "activation_bar_ratio": 0.8}
    expected = lape(active, tokens, LANGUAGES, **options)
    assert lape(seen, routed, LANGUAGES, **options) == expected
    counts = dict.fromkeys(LANGUAGES, 40)
    matched = lape_matched(seen, routed, LANGUAGES, counts, filter_rate=0.8, activation_bar_ratio=0.8)
    assert (
        matched[0]
        == lape_matched(active, tokens, LANGUAGES, counts, filter_rate=0.8, activation_bar_ratio=0.8)[0]
    )
    active[:, 0], routed = 0, tokens[:, None, None].expand(3, 3, 200).clone()
    routed[:, 0] = 0
    found = lape(active, routed, LANGUAGES, **options)
    assert all(not len(found[language][0]) for language in found)
