"""PLND against sets of the most important neurons, document by document."""

import numpy as np
import pytest
from crane.selection.choose import choose, columns
from crane.selection.methods.plnd import scores
from crane.selection.ranking import SelectionError
from support.neurons import LANGUAGES, flags
from support.statistics import as_table

K, I = 2, 40  # noqa: E741
SETTINGS = {"method": "plnd", "importance": "output", "top": 0.2, "consistency": 1, "remove": "any"}


@pytest.fixture(scope="module")
def documents():
    """Return importances `[n, K, I]` of each language's documents; some neurons are important in one, two or all."""
    rng = np.random.default_rng(0)
    found = [rng.gamma(2.0, size=(n, K, I)) for n in (12, 8, 16)]
    for row, importance in enumerate(found):
        importance[:, :, row * 2 : row * 2 + 2] += 50  # each language's own
        importance[:, :, 10] += 40  # of all
        if row < 2:
            importance[:, :, 11] += 30  # of two
        importance[: len(importance) * 3 // 4, :, 12 + row] += 20  # in three quarters of the documents
    return found


def tops(importance, size):
    """Return for each document and layer the numbers of its most important neurons."""
    order = np.argsort(-importance, axis=2, kind="stable")[:, :, :size]
    return [[set(layer) for layer in document] for document in order.tolist()]


def table(documents, prefix="energy", mean="energy"):
    grids = {mean: [], f"{prefix}_worst_rank": [], f"{prefix}_top_0.2": [], "count": []}
    for importance in documents:
        rank = np.argsort(np.argsort(-importance, axis=2, kind="stable"), axis=2)
        grids[mean].append(importance.mean(0))
        grids[f"{prefix}_worst_rank"].append(rank.max(0))
        grids[f"{prefix}_top_0.2"].append((rank < 8).sum(0))
        grids["count"].append(np.full((K, I), len(importance)))
    return as_table({name: np.stack(grid) for name, grid in grids.items()})


def as_published(documents, remove, size=8):
    """Intersect over documents, then take away what other languages have."""
    every = [
        [set.intersection(*layers) for layers in zip(*tops(one, size), strict=True)] for one in documents
    ]
    found = np.zeros((3, K, I), bool)
    for row in range(3):
        for layer in range(K):
            others = [every[other][layer] for other in range(3) if other != row]
            gone = set.union(*others) if remove == "any" else set.intersection(*others)
            found[row, layer, sorted(every[row][layer] - gone)] = True
    return found


@pytest.mark.parametrize("remove", ["any", "all"])
def test_the_published_set_is_that_of_intersected_documents(documents, remove):
    chosen, facts = choose(table(documents), {**SETTINGS, "remove": remove}, LANGUAGES)
    expected = as_published(documents, remove)
    assert expected.any((1, 2)).all() and not expected[:, :, 10].any()
    assert expected[:2, :, 11].all() == (remove == "all")
    np.testing.assert_array_equal(flags(chosen, expected.shape), expected)
    assert facts["samples"] == {"en": 12, "zh": 8, "vi": 16}


def test_a_share_that_is_not_counted_follows_from_the_worst_ranks(documents):
    settings = {**SETTINGS, "top": 0.15}
    assert columns(settings)[-1] == "energy_worst_rank"
    chosen, _ = choose(table(documents), settings, LANGUAGES)
    expected = as_published(documents, "any", size=6)
    np.testing.assert_array_equal(flags(chosen, expected.shape), expected)


def test_consistency_asks_for_fewer_documents(documents):
    """A neuron that is important in three quarters of the documents is taken from .7 on."""
    for consistency, there in ((0.7, True), (0.95, False)):
        chosen, _ = choose(table(documents), {**SETTINGS, "consistency": consistency}, LANGUAGES)
        found = flags(chosen, (3, K, I))
        assert [bool(found[row, :, 12 + row].all()) for row in range(3)] == [there] * 3


def test_up_has_ranks_of_its_own(documents):
    settings = {**SETTINGS, "importance": "up_abs"}
    found, _ = choose(table(documents, "up", "up_abs"), settings, LANGUAGES)
    expected, _ = choose(table(documents), SETTINGS, LANGUAGES)
    np.testing.assert_array_equal(flags(found, (3, K, I)), flags(expected, (3, K, I)))


@pytest.mark.parametrize("count", [1, 4, 7, 11])
def test_a_budget_cuts_one_order_that_begins_with_the_published_set(documents, count):
    chosen, _ = choose(table(documents), {**SETTINGS, "budget": {"count": count}}, LANGUAGES)
    published = as_published(documents, "any")
    found = flags(chosen, published.shape)
    share = np.stack(
        [(np.argsort(np.argsort(-d, axis=2, kind="stable"), axis=2) < 8).mean(0) for d in documents]
    )
    mean = np.stack([d.mean(0) for d in documents])
    for row in range(3):
        rows = []
        for layer, neuron in np.ndindex(K, I):
            margins = [
                v[row, layer, neuron] - np.delete(v[:, layer, neuron], row).max() for v in (share, mean)
            ]
            member = bool(published[row, layer, neuron])
            if member or margins[0] > 0:
                rows.append((-member, -round(margins[0], 12), -margins[1], layer, neuron))
        expected = {(layer, neuron) for *_, layer, neuron in sorted(rows)[:count]}
        assert {tuple(place) for place in np.argwhere(found[row]).tolist()} == expected


def test_equal_shares_are_ordered_by_importance_and_never_pass_for_higher_ones(documents):
    found = scores(table(documents), LANGUAGES, SETTINGS)
    share = np.stack(
        [(np.argsort(np.argsort(-d, axis=2, kind="stable"), axis=2) < 8).mean(0) for d in documents]
    )
    margin = share - np.stack([np.delete(share, row, 0).max(0) for row in range(3)])
    margin += 2 * as_published(documents, "any")
    order = np.argsort(found, axis=None)
    assert (np.diff(margin.ravel()[order]) >= -1e-12).all()
    assert ((found > 0) == (margin > 1e-12)).all()


def test_a_language_without_such_neurons_is_named(documents):
    alike = [documents[0], documents[0], documents[2]]
    with pytest.raises(SelectionError, match=r"'en': plnd selects no neuron \(consistency 1, .*top 0.2"):
        choose(table(alike), SETTINGS, LANGUAGES)
    chosen, _ = choose(table(alike), SETTINGS, LANGUAGES, may_be_empty=True)
    assert chosen.total("en") == 0
