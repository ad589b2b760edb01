"""Neurons by the overlaps of their languages' distributions, against all splits of the languages."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from crane.selection.choose import choose
from crane.selection.methods.overlap import pair_overlaps, published, scores, weakest_link
from crane.selection.ranking import SelectionError
from support.neurons import LANGUAGES, flags

K, I = 2, 30  # noqa: E741


def made_up(languages, seed=0):
    """Return symmetric overlaps `[L, L, K, I]` with 1 on the diagonal, float32."""
    rng = np.random.default_rng(seed)
    found = rng.uniform(0.05, 0.95, (languages, languages, K, I))
    found = np.maximum(found, found.swapaxes(0, 1)).astype(np.float32)
    found[np.arange(languages), np.arange(languages)] = 1
    return found


def table(overlaps, languages=LANGUAGES):
    """Return the layers' tables, as they are merged and read."""
    rows = []
    for layer in range(K):
        for row, code in enumerate(languages):
            lists = list(overlaps[row, :, layer].T)
            own = {"language": code, "layer": layer, "neuron": np.arange(I), "overlap_with": lists}
            rows.append(pd.DataFrame({**own, "token_overflow": 0.01 * row}))
    return pd.concat(rows)


def best_split(overlaps):
    """Return the smallest largest overlap across any split of `[L, L]`, and the languages alone on a side of it."""
    languages = range(len(overlaps))
    splits = {}
    for size in range(1, len(overlaps)):
        for side in combinations(languages, size):
            rest = [code for code in languages if code not in side]
            splits[side] = overlaps[np.ix_(side, rest)].max()
    least = min(splits.values())
    return least, {side[0] for side, link in splits.items() if len(side) == 1 and link == least}


@pytest.mark.parametrize("languages", [2, 3, 5])
def test_the_weakest_link_is_that_of_the_best_of_all_splits(languages):
    overlaps = made_up(languages)
    overlaps[:, :, 0, 0] = 1  # all alike
    overlaps[:, :, 0, 1] = np.eye(languages)  # none alike
    found = weakest_link(overlaps)
    for layer, neuron in np.ndindex(K, I):
        assert found[layer, neuron] == best_split(overlaps[:, :, layer, neuron])[0]


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_the_published_set_is_of_languages_that_are_alone_on_a_side(rate):
    codes = ["a", "b", "c", "d", "e"]
    overlaps = made_up(5, seed=1)
    for row in range(5):  # unlike all others in some neurons
        others = [other for other in range(5) if other != row]
        overlaps[row, others, :, row * 3 : row * 3 + 3] *= 0.1
        overlaps[others, row] = overlaps[row, others]
    pairs = np.sort([overlaps[a, b].ravel() for a, b in combinations(range(5), 2)], axis=None)
    bar = pairs[round(rate * pairs.size) - 1]
    found = published(table(overlaps, codes), codes, {"pair_rate": rate})
    expected = np.zeros_like(found)
    for layer, neuron in np.ndindex(K, I):
        link, alone = best_split(overlaps[:, :, layer, neuron])
        for row in alone if link <= bar else ():
            expected[row, layer, neuron] = True
    np.testing.assert_array_equal(found, expected)
    assert found.sum() > 0 and (found.sum(0) <= 1).all()
    # By score they are among the first of their language.
    ranked = scores(table(overlaps, codes), codes, {})
    assert (ranked[found] >= 1 - bar).all()


def test_the_score_is_what_no_other_language_has():
    overlaps = made_up(3)
    overlaps[:, :, 0, 0] = 1
    overlaps[:, :, 0, 1] = np.eye(3)
    found = scores(table(overlaps), LANGUAGES, {})
    assert (found[:, 0, 0] == 0).all() and (found[:, 0, 1] == 1).all()
    np.testing.assert_allclose(found[1], 1 - np.maximum(overlaps[1, 0], overlaps[1, 2]), rtol=1e-6)


def test_languages_in_another_order_are_found_by_name():
    overlaps = made_up(3)
    turned = LANGUAGES[::-1]
    found = pair_overlaps(table(overlaps), turned)
    np.testing.assert_array_equal(found, overlaps[::-1, ::-1])


def test_sets_with_and_without_a_budget(tmp_path):
    overlaps = made_up(3, seed=2)
    settings = {"method": "overlap", "pair_rate": 0.3}
    table(overlaps).to_parquet(tmp_path / "table.parquet")  # lists come back as arrays
    read = pd.read_parquet(tmp_path / "table.parquet")
    chosen, facts = choose(read, settings, LANGUAGES)
    np.testing.assert_array_equal(flags(chosen, (3, K, I)), published(table(overlaps), LANGUAGES, settings))
    assert facts["overflow"] == pytest.approx({"en": 0.0, "zh": 0.01, "vi": 0.02})
    cut, _ = choose(read, {"method": "overlap", "budget": {"count": 7}}, LANGUAGES)
    ranked = scores(read, LANGUAGES, {})
    for row, own in enumerate(flags(cut, (3, K, I))):
        assert set(np.flatnonzero(own)) == set(np.argsort(-ranked[row], axis=None, kind="stable")[:7])
    overlaps[1, 2] = overlaps[2, 1] = 1  # zh and vi are alike everywhere
    with pytest.raises(SelectionError, match="'zh': overlap selects no neuron"):
        choose(table(overlaps), settings, LANGUAGES)
