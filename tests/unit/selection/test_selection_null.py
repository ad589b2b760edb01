"""The null of a selection, on shards of languages that differ and of languages that do not."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from crane.relevance.moments import Moments
from crane.relevance.shards import Statistics, write_shard
from crane.relevance.statistics import layer_table
from crane.results.null_shares import null_shares
from crane.selection.selection_null import COLUMNS, group_table, selection_null, unlimited
from support.neurons import LANGUAGES

SHARDS, SAMPLES, LAYERS, WIDTH = 6, 200, 2, 300
TOKENS = 20_000
DEALT = {"1": [0, 3], "2": [1, 4], "3": [2, 5]}
OWN = 12
"""Neurons of layer 0 that are a language's own, where the languages differ."""
CRANE = {"method": "crane", "normalise": "layer"}
DISPERSION = {"method": "dispersion", "statistic": "std", "normalise": "none", "rule": "margin"}
LAPE = {"method": "lape", "top_rate": 0.06, "filter_rate": 0.9, "activation_bar_ratio": 0.9}
CONTRASTS: dict[str, dict[str, Any]] = {
    "contrast": {**CRANE, "rule": "contrast", "threshold": 4},
    "contrast, budget": {**CRANE, "rule": "contrast", "threshold": 2, "budget": {"count": OWN}},
    "margin": {**CRANE, "rule": "margin", "threshold": 4},
    "margin, budget": {**CRANE, "rule": "margin", "budget": {"count": OWN}},
    "margin, fraction": {**CRANE, "rule": "margin", "budget": {"fraction": OWN / LAYERS / WIDTH}},
    "margin, filled": {**CRANE, "rule": "margin", "budget": {"count": OWN, "fill": True}},
    "margin, matched": {**CRANE, "rule": "margin", "budget": {"match": "lape"}},
    "global": {**CRANE, "normalise": "global", "rule": "margin", "budget": {"count": OWN}},
    "log ratio": {**DISPERSION, "budget": {"count": OWN}},
    "difference": {**DISPERSION, "contrast": "difference", "budget": {"count": OWN}},
    "lape": LAPE,
}
"""Rules that compare languages."""
MATCHED = {"margin, matched": dict.fromkeys(LANGUAGES, OWN)}


def tails(language: int) -> torch.Tensor:
    """Return the scale of one text in ten, per neuron: a language's own neurons have heavy tails."""
    scale = torch.ones(LAYERS, WIDTH)
    scale[0, OWN * language : OWN * (language + 1)] = 8
    return scale


def alike(language: int) -> torch.Tensor:
    """Return the same for languages that do not differ: every neuron has tails, the same in all languages."""
    return torch.linspace(1, 5, LAYERS * WIDTH).reshape(LAYERS, WIDTH)


def heavier(language: int) -> torch.Tensor:
    """Return the same for neurons that are all alike, with heavier tails everywhere in the first language."""
    return torch.full((LAYERS, WIDTH), 6.0 if language == 0 else 3.0)


Scale = Callable[[int], torch.Tensor]
Samples = dict[str, list[torch.Tensor]]


def drawn(scale: Scale) -> tuple[Samples, dict[str, list[torch.Tensor]]]:
    """Return the relevance `[n, K, I]` of every shard of every language, and its counters of activations."""
    generator = torch.Generator().manual_seed(1)
    often = 0.02 + 0.3 * torch.rand(LAYERS, WIDTH, generator=generator)
    samples: Samples = {}
    active: dict[str, list[torch.Tensor]] = {}
    for row, language in enumerate(LANGUAGES):
        shape = (SAMPLES, LAYERS, WIDTH)
        every = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(SHARDS)]
        for x in every:
            x[::10] *= scale(row)
        probability = torch.where(scale(row) == 8, 0.6, often) if scale is tails else often
        of_tokens = torch.full((LAYERS, WIDTH), float(TOKENS))
        counted = [torch.binomial(of_tokens, probability, generator=generator).long() for _ in range(SHARDS)]
        samples[language], active[language] = every, counted
    return samples, active


def statistics(x: torch.Tensor, active: torch.Tensor, shards: int = 1) -> Statistics:
    zero = torch.zeros(LAYERS, WIDTH, dtype=torch.float64)
    return Statistics(Moments.from_batch(x), active, TOKENS * shards, zero, TOKENS * shards)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, pd.DataFrame]:
    """Return the statistics of every group, merged from shards on disk, for three kinds of languages."""
    found = {}
    for scale in (tails, alike, heavier):
        folder = tmp_path_factory.mktemp(scale.__name__)
        samples, active = drawn(scale)
        for language in LANGUAGES:
            for shard, (x, counts) in enumerate(zip(samples[language], active[language], strict=True)):
                write_shard(statistics(x, counts), folder / f"{language}-{shard}", {})
        found[scale.__name__] = merged(folder, {**CONTRASTS, "matched": {"method": "lape_matched"}})
    return found


def merged(folder: Path, selections: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    shards = {
        group: {language: [folder / f"{language}-{shard}" for shard in numbers] for language in LANGUAGES}
        for group, numbers in DEALT.items()
    }
    return group_table(shards, selections, layers=LAYERS, site="intermediate")


def null(
    table: pd.DataFrame,
    settings: Mapping[str, Mapping[str, Any]],
    counts: Mapping[str, Mapping[str, int]] = MATCHED,
) -> pd.DataFrame:
    return selection_null(table, settings, LANGUAGES, site="intermediate", counts=counts)


def test_a_group_is_what_its_samples_are_together(tables: Mapping[str, pd.DataFrame]) -> None:
    """Shards 2 and 5, which are no neighbours."""
    samples, active = drawn(tails)
    group = tables["tails"].query("group == '3'").sort_values(["language", "layer", "neuron"])
    direct = {
        code: statistics(torch.cat([samples[code][s] for s in DEALT["3"]]),
                         sum(active[code][s] for s in DEALT["3"]), shards=2)
        for code in LANGUAGES
    }  # fmt: skip
    for layer in range(LAYERS):
        of_layer = {
            code: each._replace(
                moments=Moments(each.moments.n, *(grid[layer] for grid in each.moments[1:])),
                active=each.active[layer],
                value_sum=each.value_sum[layer],
            )
            for code, each in direct.items()
        }
        expected = layer_table(of_layer, layer, "intermediate").sort_values(["language", "neuron"])
        found = group[group["layer"] == layer]
        for column in ("language", "neuron", "count", "active", "tokens"):
            assert found[column].tolist() == expected[column].tolist(), column
        for column in ("kurtosis", "std"):
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-12)
    assert set(group["count"]) == {2 * SAMPLES} and set(group["tokens"]) == {2 * TOKENS}


def test_only_what_the_selections_read_is_kept(tables: Mapping[str, pd.DataFrame]) -> None:
    read = {"language", "layer", "neuron", "group", "count", "kurtosis", "std", "active", "tokens"}
    assert set(tables["alike"].columns) == read
    assert len(tables["alike"]) == len(LANGUAGES) * len(DEALT) * LAYERS * WIDTH


@pytest.mark.parametrize("rule", CONTRASTS)
def test_languages_that_differ_have_a_small_null(tables: Mapping[str, pd.DataFrame], rule: str) -> None:
    shares = null_shares(null(tables["tails"], {rule: CONTRASTS[rule]}))
    assert (shares["observed"] > OWN / 2).all()
    assert (shares["share"] < 0.2).all()


@pytest.mark.parametrize("rule", CONTRASTS)
def test_languages_that_do_not_differ_are_all_null(tables: Mapping[str, pd.DataFrame], rule: str) -> None:
    settings = CONTRASTS[rule]
    if "threshold" in settings:
        settings = {**settings, "threshold": 1}  # there is no 4 without a difference
    shares = null_shares(null(tables["alike"], {rule: settings}))
    assert (shares["observed"] > 0).all()
    total = shares["expected"].sum() / shares["observed"].sum()
    assert 0.7 < total < 1.4 and (shares["share"] > 0.4).all()


def test_heavier_tails_everywhere_are_a_difference_for_rules_that_compare_scales_alone(
    tables: Mapping[str, pd.DataFrame],
) -> None:
    """The first language has them; no neuron is its own. A ratio to the language's mean takes that out."""
    rules = {name: CONTRASTS[name] for name in ("difference", "log ratio")}
    shares = null_shares(null(tables["heavier"], rules))["share"]
    assert shares["difference", LANGUAGES[0]] == 0
    assert shares["log ratio", LANGUAGES[0]] > 0.4


def test_target_only_compares_nothing_and_is_all_null(tables: Mapping[str, pd.DataFrame]) -> None:
    """The same texts give the same scores, whatever else there is."""
    target = {**CRANE, "rule": "target_only"}
    rules = {"threshold": {**target, "threshold": 1}, "budget": {**target, "budget": {"count": 20}}}
    for kind in ("tails", "alike"):
        measured = null(tables[kind], rules)
        assert (measured["observed"] > 0).all()
        pd.testing.assert_series_equal(measured["expected"], measured["observed"], check_names=False)


def margins(table: pd.DataFrame, where: str, languages: str) -> dict[str, np.ndarray]:
    """Return the margins of a world by hand: z-scores of the kurtosis per layer, less the highest other."""
    rows = table.query(where).sort_values(["layer", "neuron"])
    z = {}
    for name, own in rows.groupby(languages):
        values = own["kurtosis"].to_numpy().reshape(LAYERS, WIDTH)
        z[name] = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
    return {name: own - np.max([z[other] for other in z if other != name], axis=0) for name, own in z.items()}


@pytest.mark.parametrize("kind", ["tails", "alike"])
@pytest.mark.parametrize("budget", [None, 40])
def test_counts_by_hand(tables: Mapping[str, pd.DataFrame], kind: str, budget: int | None) -> None:
    table = tables[kind]
    settings = {**CRANE, "rule": "margin", **({"budget": {"count": 40}} if budget else {"threshold": 0.5})}
    measured = null(table, {"crane": settings}).set_index(["mask_language", "group"])
    for code in LANGUAGES:
        dealt = margins(table, f"language == '{code}'", "group")
        for group in DEALT:
            real = margins(table, f"group == '{group}'", "language")[code]
            row = measured.loc[(code, group)]
            if budget is None:
                counts = [int((real > 0.5).sum()), *[int((dealt[group] > 0.5).sum())] * 2]
            else:
                least = np.sort(real, axis=None)[-budget]
                counts = [budget, budget, int((dealt[group] >= least).sum())]
            assert row[["observed", "identical", "expected"]].tolist() == counts


def test_a_budget_is_filled_in_the_null_too(tables: Mapping[str, pd.DataFrame]) -> None:
    """That is why the identical rule says nothing, and the lowest score observed is what the null has to reach."""
    names = ("margin, budget", "margin, fraction", "margin, matched", "log ratio")
    rules = {name: CONTRASTS[name] for name in names}
    measured = null(tables["tails"], rules)
    assert (measured["identical"] == OWN).all() and (measured["expected"] < OWN).all()


def test_ranked_lape_beyond_its_quantiles_is_null_where_it_takes_what_all_languages_use(
    tables: Mapping[str, pd.DataFrame],
) -> None:
    matched = {"method": "lape_matched", "filter_rate": 0.9, "activation_bar_ratio": 0.9}

    def share(count: int) -> float:
        counts = {"matched": dict.fromkeys(LANGUAGES, count)}
        measured = null(tables["tails"], {"matched": matched}, counts)
        assert (measured["observed"] == count).all() and (measured["identical"] == count).all()
        return float(null_shares(measured)["share"].max())

    assert share(OWN) == 0
    assert share(120) > 0.2


def test_a_rule_that_selects_nothing_has_a_row_and_no_share(tables: Mapping[str, pd.DataFrame]) -> None:
    strict = {**CRANE, "rule": "contrast", "threshold": 99}
    rules = {"strict": strict, "budget": {**strict, "budget": {"count": 3}}}
    measured = null(tables["alike"], rules)
    assert list(measured.columns) == COLUMNS and len(measured) == 2 * len(LANGUAGES) * len(DEALT)
    assert not measured[["observed", "identical", "expected"]].to_numpy().any()
    assert null_shares(measured)["share"].isna().all()


def test_groups_stand_in_for_languages_one_for_one(tables: Mapping[str, pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match="2 groups stand in for 3 languages"):
        null(tables["alike"].query("group != '3'"), {"lape": LAPE})


def test_without_its_budget_a_rule_keeps_its_threshold() -> None:
    assert unlimited(CONTRASTS["contrast"], 50) == CONTRASTS["contrast"]
    assert unlimited(CONTRASTS["contrast, budget"], 50)["threshold"] == 2
    assert unlimited(CONTRASTS["margin, filled"], 50)["budget"] == {"count": 50, "fill": True}
    assert unlimited(CONTRASTS["margin, matched"], 50)["budget"] == {"count": 50}
    assert unlimited(LAPE, 50) == {**LAPE, "top_rate": 1.0}
