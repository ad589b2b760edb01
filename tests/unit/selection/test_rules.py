"""Selection rules against loops over single neurons."""

import math

import numpy as np
import pytest
from crane.neurons.normalisation import normalise
from crane.selection.ranking import SelectionError
from crane.selection.rules import by_rule, max_other
from support.neurons import LANGUAGES, flags, values


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
    scores[1, 1, [1, 3, 4]] = 1.0
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
    everything = by_rule(scores, LANGUAGES, rule="margin", top=4 * 30 - 1, fill=True)
    assert not any(4 in everything[language][1] for language in LANGUAGES)
    with pytest.raises(SelectionError, match="119 neurons and 120 were asked for"):
        by_rule(scores, LANGUAGES, rule="margin", top=120, fill=True)


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


def test_wrong_calls_are_refused():
    scores = np.zeros((2, 1, 3))
    with pytest.raises(ValueError, match="needs a threshold"):
        by_rule(scores, ["en", "vi"], rule="contrast")
    with pytest.raises(ValueError, match="unknown rule 'best'; known: contrast, target_only, margin"):
        by_rule(scores, ["en", "vi"], rule="best")
    with pytest.raises(ValueError, match="two languages"):
        by_rule(scores[:1], ["en"], rule="margin")


def test_scores_are_those_by_which_a_budget_ranks():
    """Of `target_only` without a threshold, the score itself."""
    scores = normalise(values(), "layer")
    neurons = by_rule(scores, LANGUAGES, rule="target_only", top=5)
    for row, language in enumerate(LANGUAGES):
        for k, indices in neurons[language].items():
            np.testing.assert_array_equal(neurons.scores[language][k], scores[row, k, indices])


@pytest.mark.parametrize("rule", ["contrast", "margin"])
def test_a_null_may_have_no_neuron(rule):
    scores = normalise(values(), "layer")
    scores[0] -= 100
    threshold = None if rule == "margin" else 0.5
    with pytest.raises(SelectionError, match="'en'"):
        by_rule(scores, LANGUAGES, rule=rule, threshold=threshold, top=3)
    neurons = by_rule(scores, LANGUAGES, rule=rule, threshold=threshold, top=3, may_be_empty=True)
    assert [neurons.total(language) for language in LANGUAGES] == [0, 3, 3]


def test_a_null_may_leave_a_budget_unfilled():
    scores = np.array([[[1.0, np.nan, 0.0]], [[0.0, 1.0, 2.0]]])
    neurons = by_rule(scores, ["en", "vi"], rule="margin", top=3, fill=True, may_be_empty=True)
    assert neurons["en"][0].tolist() == neurons["vi"][0].tolist() == [0, 2]
