"""The randomisation tests against exact tests, and the share of studies without an effect in which they reject."""

import numpy as np
import pytest
from crane.scores.randomisation import Losses, more_lost, smallest_p
from scipy.stats import binomtest, fisher_exact, ttest_ind

LEVEL = 0.05


def questions(lost: np.ndarray) -> Losses:
    """Return losses of single questions `[M, n]`."""
    return Losses(np.asarray(lost, float), np.ones_like(lost, float))


def p_of(
    first: Losses, second: Losses, *, paired: bool, resamples: int = 20_000, sign: int = 1
) -> np.ndarray:
    signs = np.full(len(first.sums), sign)
    return more_lost(first, second, signs, paired=paired, resamples=resamples, seed=(3,))


def test_paired_it_is_the_sign_test_where_questions_are_lost_or_kept() -> None:
    """Of 30 questions 9 are lost in the first language only, 2 in the second only, 5 in both."""
    first, second = np.zeros((1, 30)), np.zeros((1, 30))
    first[0, :9] = second[0, 9:11] = 1
    first[0, 11:16] = second[0, 11:16] = 1
    exact = binomtest(9, 11, alternative="greater").pvalue
    pair = questions(first), questions(second)
    assert p_of(*pair, paired=True) == pytest.approx(exact, abs=0.003)
    assert p_of(*pair, paired=True, sign=-1) == pytest.approx(
        binomtest(9, 11, alternative="less").pvalue, abs=0.003
    )


def test_unpaired_it_is_fishers_exact_test_where_questions_are_lost_or_kept() -> None:
    first, second = np.zeros((1, 25)), np.zeros((1, 40))
    first[0, :7], second[0, :3] = 1, 1
    exact = fisher_exact([[7, 18], [3, 37]], alternative="greater").pvalue
    assert p_of(questions(first), questions(second), paired=False) == pytest.approx(exact, abs=0.005)


@pytest.mark.parametrize(("paired", "arrangements"), [(True, 2**4), (False, 70)])
def test_the_smallest_p_is_that_of_a_language_that_loses_everything(paired: bool, arrangements: int) -> None:
    """Four questions in each language: all lost in the first, none in the second, is one arrangement of them."""
    lost, kept = (Losses(np.full((1, 4), value), np.ones((1, 4))) for value in (1.0, 0.0))
    p = more_lost(lost, kept, np.ones(1), paired=paired, resamples=20_000, seed=[0])
    assert smallest_p(4, 4, paired=paired, resamples=20_000) == 1 / arrangements
    assert p[0] == pytest.approx(1 / arrangements, rel=0.1)
    assert smallest_p(400, 300, paired=paired, resamples=999) == 1 / 1000


def test_with_many_documents_it_is_welchs_test() -> None:
    """Documents of different lengths: the loss per token is a ratio, and its error that of a ratio."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(20, 60, (2, 1, 400)).astype(float)
    sums = sizes * rng.normal([[[0.12]], [[0.1]]], [[[0.1]], [[0.3]]], (2, 1, 400))
    found = p_of(Losses(sums[0], sizes[0]), Losses(sums[1], sizes[1]), paired=False)
    ratios = sums.sum(axis=2) / sizes.sum(axis=2)
    around = (sums - ratios[..., None] * sizes)[:, 0] / sizes.mean(axis=2) + ratios
    assert found == pytest.approx(ttest_ind(*around, equal_var=False, alternative="greater").pvalue, abs=0.01)


def test_p_is_never_0_and_as_small_as_the_questions_allow() -> None:
    """All of four questions lost in one language, none in the other."""
    lost, kept = questions(np.ones((1, 4))), questions(np.zeros((1, 4)))
    assert p_of(lost, kept, paired=True) == pytest.approx(1 / 2**4, abs=0.005)
    assert p_of(lost, kept, paired=False) == pytest.approx(1 / 70, abs=0.003)
    many = questions(np.ones((1, 300))), questions(np.zeros((1, 300)))
    for paired in (True, False):
        assert p_of(*many, paired=paired, resamples=99) == pytest.approx(1 / 100)
        assert p_of(*many, paired=paired, resamples=99, sign=-1) == 1


def test_without_any_change_p_is_1_and_without_any_score_undefined() -> None:
    same = questions(np.zeros((2, 12)))
    scored = np.ones((2, 12))
    scored[1] = 0
    for paired in (True, False):
        assert p_of(same, same, paired=paired, resamples=99).tolist() == [1, 1]
        both = p_of(same, Losses(same.sums, scored), paired=paired, resamples=99)
        assert both[0] == 1 and np.isnan(both[1])


def test_masks_do_not_depend_on_each_other() -> None:
    rng = np.random.default_rng(1)
    first, second = (questions(rng.integers(-1, 2, (5, 40))) for _ in range(2))
    for paired in (True, False):
        whole = p_of(first, second, paired=paired, resamples=300)
        for mask in range(5):
            alone = [Losses(each.sums[[mask]], each.sizes[[mask]]) for each in (first, second)]
            assert p_of(*alone, paired=paired, resamples=300) == whole[mask]


def test_different_units_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match=r"\(1, 4\) and \(1, 5\)"):
        p_of(questions(np.zeros((1, 4))), questions(np.zeros((1, 5))), paired=True)


# A mask without selectivity: in each language a question that was right gets wrong, and the other way round, at a rate
# of its own; the mean losses are equal. (questions, share right, right to wrong, wrong to right) per language.
SAME = (0.9, 0.1, 0.3)
WITHOUT_EFFECT = {
    "alike": ((60, *SAME), (60, *SAME)),
    "few questions": ((8, *SAME), (8, *SAME)),
    "few changes": ((200, 0.95, 0.01, 0.0), (200, 0.95, 0.01, 0.0)),
    "other accuracy": ((150, 0.95, 0.02, 0.02), (150, 0.6, 0.1, 0.105)),
    "everything destroyed": ((60, 0.9, 0.7, 0.0), (60, 0.9, 0.7, 0.0)),
    "many and few questions": ((500, 0.9, 0.01, 0.0), (50, 0.9, 0.01, 0.0)),
    "few and many questions": ((50, 0.9, 0.1, 0.0), (500, 0.45, 0.2, 0.0)),
}


def losses(
    rng: np.random.Generator, studies: int, count: int, right: float, worse: float, better: float
) -> Losses:
    before = rng.random((studies, count)) < right
    after = np.where(before, rng.random((studies, count)) >= worse, rng.random((studies, count)) < better)
    return questions(before.astype(float) - after)


@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("case", WITHOUT_EFFECT)
def test_without_an_effect_it_rejects_in_at_most_as_many_studies_as_the_level_says(
    case: str, paired: bool
) -> None:
    first, second = WITHOUT_EFFECT[case]
    if paired and first[0] != second[0]:
        pytest.skip("questions that are paired are as many")
    rng = np.random.default_rng(11)
    p = p_of(losses(rng, 1500, *first), losses(rng, 1500, *second), paired=paired, resamples=199)
    print(case, paired, (p <= LEVEL).mean(), (p <= 0.01).mean())
    assert (p <= LEVEL).mean() <= 0.06
    assert (p <= 0.01).mean() <= 0.017


@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_an_effect_is_found(paired: bool) -> None:
    """15 points of accuracy in one language and 2 in the other, 100 questions."""
    rng = np.random.default_rng(12)
    p = p_of(
        losses(rng, 500, 100, 0.9, 0.17, 0), losses(rng, 500, 100, 0.9, 0.02, 0), paired=paired, resamples=199
    )
    assert (p <= LEVEL).mean() > 0.9
