"""The contrast of scale-aware statistics as a ratio, and budgets that only neurons above zero may fill."""

import numpy as np
import pandas as pd
import pytest
from crane.selection.choose import choose, columns, contrast
from crane.selection.ranking import SelectionError
from crane.selection.rules import FLOOR, by_rule, log_ratio
from support.neurons import LANGUAGES, flags

DISPERSION = {"method": "dispersion", "statistic": "std", "normalise": "none", "rule": "margin"}


def dispersions(seed=0, languages=3):
    """Return positive statistics `[L, 3, 40]` with the long tail that real ones have."""
    return np.exp(np.random.default_rng(seed).normal(0, 1.5, (languages, 3, 40)))


def table(values):
    return pd.DataFrame(
        [
            (language, layer, neuron, values[row, layer, neuron])
            for row, language in enumerate(LANGUAGES)
            for layer, neuron in np.ndindex(*values.shape[1:])
        ],
        columns=["language", "layer", "neuron", "std"],
    )


def test_scores_are_logarithms_of_the_ratio_to_the_languages_own_mean():
    values = dispersions()
    expected = [
        [[np.log(v / values[row].mean()) for v in layer] for layer in values[row]] for row in range(3)
    ]
    np.testing.assert_allclose(log_ratio(values), expected)


def test_a_language_whose_relevances_are_larger_everywhere_changes_no_selection():
    values = dispersions()
    larger = values * np.array([1, 3, 1])[:, None, None]
    asked = {**DISPERSION, "budget": {"count": 12}}
    chosen = [flags(choose(table(v), asked, LANGUAGES)[0], v.shape) for v in (values, larger)]
    np.testing.assert_array_equal(*chosen)
    # The plain difference has nothing left for the others.
    with pytest.raises(SelectionError, match="selects 0 neurons"):
        choose(
            table(values * np.array([1, 1000, 1])[:, None, None]),
            {**asked, "contrast": "difference"},
            LANGUAGES,
        )


@pytest.mark.parametrize("values", ["std", "mean_abs", "fourth_root", "kurtosis", "mean"])
def test_the_default_belongs_to_statistics_that_grow_with_the_scale(values):
    expected = "log_ratio" if values in ("std", "mean_abs", "fourth_root") else "difference"
    assert contrast({"statistic": values, "normalise": "none"}) == expected
    assert contrast({"statistic": values, "normalise": "rank"}) == "difference"
    assert contrast({"statistic": values, "normalise": "none", "contrast": "difference"}) == "difference"


def test_a_neuron_that_no_language_uses_is_undefined_and_counted():
    values = dispersions()
    values[:, 0, :5] = 0
    values[:, 1, 7] = values.mean() * FLOOR / 1000
    scores = log_ratio(values)
    assert np.isnan(scores[:, 0, :5]).all() and np.isnan(scores[:, 1, 7]).all()
    assert np.isfinite(scores).sum() == scores.size - 3 * 6
    chosen, facts = choose(table(values), {**DISPERSION, "budget": {"count": 5}}, LANGUAGES)
    assert set(facts["undefined"].values()) == {6}
    assert not flags(chosen, values.shape)[:, 0, :5].any()


def test_a_neuron_that_one_language_does_not_use_still_counts_for_the_others():
    values = dispersions()
    values[0, 2, 3] = 0
    scores = log_ratio(values)
    assert scores[0, 2, 3] == pytest.approx(np.log(FLOOR)) and np.isfinite(scores[1:, 2, 3]).all()


def test_a_margin_at_or_below_zero_never_fills_a_budget():
    scores = np.full((2, 1, 6), 1.0)
    scores[0, 0, :2] = [2.0, 3.0]
    scores[1, 0, 2] = 4.0
    chosen = by_rule(scores, ["en", "zh"], rule="margin", top=4)
    assert chosen["en"][0].tolist() == [0, 1] and chosen["zh"][0].tolist() == [2]
    with pytest.raises(SelectionError, match="'en': rule 'margin'"):
        by_rule(np.ones((2, 1, 6)), ["en", "zh"], rule="margin", top=4)


def test_fill_restores_what_was_chosen_before():
    scores = np.full((2, 1, 6), 1.0)
    scores[0, 0, :2] = [2.0, 3.0]
    scores[1, 0, 2] = 4.0
    chosen = by_rule(scores, ["en", "zh"], rule="margin", top=4, fill=True)
    assert {language: chosen.total(language) for language in ("en", "zh")} == {"en": 4, "zh": 4}


def test_fewer_neurons_than_asked_for_are_told_in_the_facts():
    values = np.ones((3, 3, 40))
    for row in range(3):
        values[row, row, :4] = 5
    chosen, facts = choose(table(values), {**DISPERSION, "budget": {"count": 20}}, LANGUAGES)
    assert [chosen.total(language) for language in LANGUAGES] == [4, 4, 4]
    assert set(facts["asked"].values()) == {20}


def test_all_neurons_are_the_same_mask_for_every_language():
    shape = dispersions().shape
    neurons, facts = choose(table(dispersions()), {"method": "all"}, LANGUAGES)
    assert flags(neurons, shape).all() and not facts


@pytest.mark.parametrize(
    ("statistic", "column"), [("probability", "activation_probability"), ("mean_value", "mean_value")]
)
def test_activations_are_ranked_by_the_same_rules(statistic, column):
    values = dispersions()
    settings = {"method": "activation", "statistic": statistic, "normalise": "none", "rule": "margin",
                "budget": {"count": 5}}  # fmt: skip
    assert columns(settings)[-1] == column and contrast(settings) == "difference"
    found = choose(table(values).rename(columns={"std": column}), settings, LANGUAGES)[0]
    expected = by_rule(values, LANGUAGES, rule="margin", top=5)
    np.testing.assert_array_equal(flags(found, values.shape), flags(expected, values.shape))
