"""The order of the neurons by average precision and AUROC, and what is told of those that are chosen."""

import numpy as np
import pytest
from crane.selection.choose import choose, columns
from crane.selection.methods.average_precision import in_turns
from support.neurons import LANGUAGES, flags
from support.statistics import statistics

SHAPE = (3, 2, 20)
SETTINGS = {"method": "average_precision", "estimator": "average_precision", "side": "top"}
SAMPLES = (100, 50, 50)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    ap = rng.uniform(0.2, 0.9, SHAPE)
    return statistics(
        ap=ap, ap_low=ap - 0.02, ap_high=ap + 0.02, auroc=rng.uniform(0, 1, SHAPE),
        count=np.broadcast_to(np.reshape(SAMPLES, (3, 1, 1)), SHAPE),
        sample_overflow=np.broadcast_to(np.reshape([0.0, 0.01, 0.02], (3, 1, 1)), SHAPE),
    )  # fmt: skip


def chosen(table, count, *, fill=False, **settings):
    """Return flags `[L, K * I]` of the chosen neurons, and the facts."""
    budget = {"count": count, "fill": True} if fill else {"count": count}
    found, facts = choose(table, {**SETTINGS, **settings, "budget": budget}, LANGUAGES)
    return flags(found, SHAPE).reshape(3, -1), facts


def of(table, column):
    return np.stack([table.loc[table["language"] == code, column] for code in LANGUAGES])


@pytest.mark.parametrize(("estimator", "column"), [("average_precision", "ap"), ("auroc", "auroc")])
def test_each_side_is_cut_from_the_whole_order(table, estimator, column):
    values = of(table, column)
    for side, sign in (("top", -1), ("bottom", 1)):
        found, _ = chosen(table, 5, fill=True, estimator=estimator, side=side)
        for row in range(3):
            assert set(np.flatnonzero(found[row])) == set(np.argsort(sign * values[row])[:5])


@pytest.mark.parametrize("count", [1, 2, 7, 8, 40])
def test_both_are_half_from_the_top_and_half_from_the_bottom(table, count):
    """Of an odd budget the middle one comes from the top."""
    found, _ = chosen(table, count, side="both")
    for row, values in enumerate(of(table, "ap")):
        order = np.argsort(-values)
        assert found[row].sum() == count
        expected = {*order[: -(-count // 2)], *order[len(order) - count // 2 :]}
        assert set(np.flatnonzero(found[row])) == expected


def test_equal_values_are_taken_by_number_on_both_sides():
    places = in_turns(np.array([5.0, 1.0, 5.0, 3.0, 1.0, 1.0]))
    np.testing.assert_array_equal(np.argsort(places), [0, 1, 2, 4, 3, 5])
    assert len(np.unique(places)) == 6


def test_no_better_than_chance_is_nobodys(table):
    """Chance is the language's share of the samples."""
    found, _ = chosen(table, 40)
    for row, share in enumerate((0.5, 0.25, 0.25)):
        np.testing.assert_array_equal(found[row], of(table, "ap")[row] > share)
    found, _ = chosen(table, 40, estimator="auroc", side="bottom")
    np.testing.assert_array_equal(found, of(table, "auroc") < 0.5)


def test_chosen_neurons_whose_bounds_reach_beyond_the_cut_are_counted(table):
    values = of(table, "ap")
    for side in ("top", "bottom", "both"):
        found, facts = chosen(table, 6, fill=True, side=side)
        for row, code in enumerate(LANGUAGES):
            order = np.sort(values[row][found[row]])[::-1]
            top, bottom = {"top": (order, []), "bottom": ([], order), "both": (order[:3], order[3:])}[side]
            expected = sum(v - 0.02 < min(top) for v in top) + sum(v + 0.02 > max(bottom) for v in bottom)
            assert facts["uncertain"][code] == expected > 0
    assert facts["overflow"] == pytest.approx({"en": 0.0, "zh": 0.01, "vi": 0.02})
    assert "uncertain" not in chosen(table, 6, estimator="auroc")[1]


def test_bounds_are_read_where_there_are_some():
    assert {"ap", "ap_low", "ap_high"} < set(columns(SETTINGS))
    assert not {"ap", "ap_low"} & set(columns({**SETTINGS, "estimator": "auroc"}))
