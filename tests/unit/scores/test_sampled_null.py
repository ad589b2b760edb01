"""Masks among random ones on a part of the questions: both sides answer the same questions."""

import pandas as pd
import pytest
from crane.artefacts import ArtefactError
from crane.scores.sampled_null import benchmark_means, perplexity_means, sampled_null

BENCHMARKS = {"quiz_en": {"language": "en", "suite": "quiz"}, "quiz_vi": {"language": "vi", "suite": "quiz"}}
PART = [1, 3, 5, 7]
MASKS = [("original", "none"), ("crane", "en"), ("crane", "vi")]
LAYERS = {"en": {"layers": [2, 1]}, "vi": {"layers": [1, 1]}}


def answers(mask_set: str, language: str, right: dict[str, set[int]], questions: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": "base", "mask_set": mask_set, "mask_language": language, "benchmark": name, "task": name,
                "doc_id": number, "doc_hash": f"{name}{number}", "correct": int(number in right[name]),
            }
            for name in BENCHMARKS
            for number in questions
        ]
    )  # fmt: skip


def everything(*, random: int = 3) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return what the unmasked model, CRANE (all ten questions) and random seeds (the part) answer."""
    ten = set(range(10))
    whole = [
        answers("original", "none", {"quiz_en": ten, "quiz_vi": ten}, sorted(ten)),
        # In the part, two of four are lost in English; outside of it everything is.
        answers("crane", "en", {"quiz_en": {1, 3}, "quiz_vi": {1, 3, 5}}, sorted(ten)),
        answers("crane", "vi", {"quiz_en": ten, "quiz_vi": ten}, sorted(ten)),
    ]
    sampled = [
        answers(f"random-{seed}", code, {"quiz_en": set(PART[seed:]), "quiz_vi": set(PART)}, PART)
        for seed in range(random)
        for code in ("en", "vi")
    ]
    return whole, sampled


def groups(random: int = 3) -> dict[str, dict[str, object]]:
    seeds = {
        f"random-{seed}": {"group": "random", "method": "random", "intervention": {}}
        for seed in range(random)
    }
    return {
        "original": {"group": "original", "method": "original", "intervention": {}},
        "crane": {"group": "crane", "method": "crane", "intervention": {}},
        **seeds,
    }


def test_the_masks_own_statistics_are_those_on_the_part() -> None:
    whole, sampled = everything()
    means = benchmark_means(iter(whole), iter(sampled), BENCHMARKS)
    found = means.set_index(["mask_set", "mask_language", "language"])["score"]
    assert found["crane", "en", "en"] == 0.5 and found["crane", "en", "vi"] == 0.75
    assert set(means["questions"]) == {4} and set(means["of"]) == {10}
    table = sampled_null(means, groups(), {name: LAYERS for name in groups() if name != "original"})
    row = table.set_index(["mask_set", "mask_language", "statistic"]).loc[("crane", "en", "d")]
    assert row["value"] == pytest.approx(0.5 - 0.25)
    # D of the random seeds: 0, 1/4 and 2/4; two of three reach 1/4.
    assert row["null_mean"] == pytest.approx(0.25) and row["null_p"] == pytest.approx(3 / 4)
    assert row["null_percentile"] == pytest.approx(100 * 1.5 / 3)
    assert row["null_seeds"] == 3 and row["null_likeness"] == "same layers" and row["null"] == "random"
    assert set(table["mask_set"]) == {"crane"} and set(table["statistic"]) == {"d", "f1"}
    f1 = table.set_index(["mask_language", "statistic"]).loc[("en", "f1"), "value"]
    precision, recall = 0.5 / 0.75, 0.5
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall), rel=1e-6)


def test_p_is_corrected_over_the_masks() -> None:
    whole, sampled = everything(random=2)
    means = benchmark_means(whole, sampled, BENCHMARKS)
    table = sampled_null(means, groups(2), {name: LAYERS for name in groups(2) if name != "original"})
    d = table[table["statistic"] == "d"].set_index("mask_language")
    assert d["null_p"].to_dict() == pytest.approx({"en": 2 / 3, "vi": 2 / 3}), "one of two reaches it"
    assert d["null_p_holm"].to_dict() == pytest.approx({"en": 1, "vi": 1})


def test_a_question_that_differs_or_lacks_an_answer_is_refused() -> None:
    whole, sampled = everything()
    lacking = [*whole[:2], whole[2].drop(index=3)]
    with pytest.raises(ArtefactError, match="base/quiz_en/crane/vi: 3 answers to the questions of the part"):
        benchmark_means(lacking, sampled, BENCHMARKS)
    twice = [*whole[:2], pd.concat([whole[2], whole[2][3:4]])]
    with pytest.raises(ArtefactError, match="5 answers"):
        benchmark_means(twice, sampled, BENCHMARKS)
    other = sampled[0].assign(doc_hash="other")
    with pytest.raises(ArtefactError, match="differs between masks"):
        benchmark_means(whole, [other, *sampled[1:]], BENCHMARKS)


def test_perplexity_is_in_nats_per_token_and_has_no_f1() -> None:
    def texts(mask_set: str, code: str, loss: dict[str, float], ids: list[int]) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {"model": "base", "mask_set": mask_set, "mask_language": code, "language": language, "sample_id": one,
                 "text_sha256": f"{language}{one}", "tokens": 10 * (1 + one),
                 "log_likelihood": -10 * (1 + one) * loss[language]}
                for language in ("en", "vi") for one in ids
            ]
        )  # fmt: skip

    whole = [texts("original", "none", {"en": 2.0, "vi": 3.0}, [0, 1, 2]),
             texts("crane", "en", {"en": 2.5, "vi": 3.1}, [0, 1, 2])]  # fmt: skip
    sampled = [texts("random-0", "en", {"en": 2.1, "vi": 3.1}, [0, 1])]
    means = perplexity_means(whole, sampled)
    assert (
        set(means["questions"]) == {2} and set(means["of"]) == {3} and set(means["suite"]) == {"perplexity"}
    )
    table = sampled_null(means, groups(1), {"crane": LAYERS, "random-0": LAYERS})
    assert table["statistic"].tolist() == ["d"]
    assert table["value"][0] == pytest.approx(0.4) and table["null_mean"][0] == pytest.approx(0)
    assert table["null_p"][0] == pytest.approx(1 / 2)
