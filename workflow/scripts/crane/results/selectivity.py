"""Selectivity and double dissociation of all mask sets for tables and figures, in the study's order, seeds averaged."""

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from crane.names import PERPLEXITY, REFERENCES
from crane.results.frames import seed_means
from crane.results.labels import Labels, ResultsError
from crane.scores.selectivity import COLUMNS, MASK, dissociations, selectivity
from crane.scores.significance import over_masks

LEVEL = 0.05
Contrasts = Mapping[str, pd.DataFrame]
"""Of the suites and of perplexity: `crane.scores.selectivity.contrasts`, with model, suite, label and method."""


def part_name(labels: Labels, suite: str) -> str:
    """Return what a suite, or the perplexity of held-out texts, is called."""
    return PERPLEXITY.capitalize() if suite == PERPLEXITY else labels.title_of(suite)


def part_unit(labels: Labels, suite: str) -> str:
    """Return in what its losses are measured."""
    return "nats per token" if suite == PERPLEXITY else labels.measure_of(suite)


def parts_of(rows: pd.DataFrame, labels: Labels) -> list[str]:
    """Return the suites with results, in the study's order; perplexity is the last one."""
    present = set(rows["suite"])
    suites = dict.fromkeys(facts["suite"] for facts in labels.benchmarks.values())
    return [suite for suite in [*suites, PERPLEXITY] if suite in present]


def selectivity_rows(contrasts: Contrasts, labels: Labels) -> pd.DataFrame:
    """Return D of every model, suite and mask.

    Returns:
        One row per suite, model, label and mask_language, in this order: d, d_low, d_high, d_language, d_p, d_p_holm
        (adjusted over the masks of the suite and model), seeds, interval, seeds_below (seeds with d_p below `LEVEL`).
        Several seeds have neither d_p nor d_language.

    Raises:
        ResultsError: no results.
    """
    found = every_mask(contrasts, labels)[[*MASK, "label", "method", *COLUMNS, "d_p_holm"]]
    keys = ["suite", "model", "label", "mask_language"]
    rows = _averaged(found, keys, "d_p")
    languages = found.drop_duplicates(keys).set_index(keys)["d_language"]
    rows["d_language"] = languages.reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    rows["d_language"] = rows["d_language"].mask(rows["seeds"] > 1)
    return in_order(rows, labels, keys)


def every_mask(contrasts: Contrasts, labels: Labels) -> pd.DataFrame:
    """Return D of every mask, each seed for itself.

    Returns:
        One row per model, suite, mask set and mask language: the columns of `crane.scores.selectivity.selectivity`,
        label, method, d_p_holm (adjusted over the masks of the suite and model), hypotheses (their number); smallest_p
        (the largest over the other languages) and others_lost_low (likewise: above 0 if some other one certainly
        loses); lost and other_lost with their bounds, the latter of the language that loses most (`d_language`).

    Raises:
        ResultsError: no results.
    """
    compared = _joined(contrasts, labels)
    found = selectivity(compared)
    found = found.merge(compared.drop_duplicates(MASK)[[*MASK, "label", "method"]], on=MASK)
    losses = [f"{whose}{bound}" for whose in ("lost", "other_lost") for bound in ("", "_low", "_high")]
    against = compared.rename(columns={"compared_with": "d_language"})[[*MASK, "d_language", *losses]]
    found = found.merge(against, on=[*MASK, "d_language"], how="left")
    largest = compared.groupby(MASK)[["smallest_p", "other_lost_low"]].max()
    found = found.join(largest.rename(columns={"other_lost_low": "others_lost_low"}), on=MASK)
    family = ["model", "suite"]
    found["d_p_holm"] = over_masks(found, "d_p", family)
    tested = found["d_p"].notna() & ~found["method"].isin(REFERENCES)
    found["hypotheses"] = tested.groupby([found[key] for key in family]).transform("sum")
    return found


def dissociation_rows(contrasts: Contrasts, labels: Labels) -> pd.DataFrame:
    """Return the double dissociation of every pair of languages, under every mask set.

    Returns:
        One row per suite, model, label and pair (first, second), in this order: the columns of
        `crane.scores.selectivity.dissociations`, p_holm (adjusted over the mask sets and pairs of the suite and model),
        seeds, interval, seeds_below. Several seeds have no p.

    Raises:
        ResultsError: no results.
    """
    compared = _joined(contrasts, labels)
    mask = ["model", "suite", "mask_set"]
    found = dissociations(compared, list(labels.languages))
    found = found.merge(compared.drop_duplicates(mask)[[*mask, "label", "method"]], on=mask)
    found["p_holm"] = over_masks(found, "p", ["model", "suite"])
    keys = ["suite", "model", "label", "first", "second"]
    return in_order(_averaged(found, keys, "p"), labels, keys)


def pairs_of(labels: Labels) -> list[tuple[str, str]]:
    """Return all pairs of languages."""
    return list(combinations(labels.languages, 2))


def _joined(contrasts: Contrasts, labels: Labels) -> pd.DataFrame:
    every = pd.concat(contrasts.values(), ignore_index=True)
    known = every[every["label"].isin(list(labels.mask_sets)) & every["model"].isin(list(labels.models))]
    if known.empty:
        raise ResultsError("selectivity: no results of a mask set and a model of this study")
    return known


def _averaged(found: pd.DataFrame, keys: list[str], p: str) -> pd.DataFrame:
    """Average the seeds, and count those below `LEVEL` in place of their p."""
    rows = seed_means(found)
    below = (found[p] < LEVEL).groupby([found[key] for key in keys]).sum()
    rows["seeds_below"] = below.reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    tested = [column for column in rows if column.endswith(p) or column.endswith("_p")]
    rows[tested] = rows[tested].mask(rows["seeds"] > 1)
    return rows


def in_order(rows: pd.DataFrame, labels: Labels, keys: list[str]) -> pd.DataFrame:
    """Return the rows in the study's order of some of suite, model, label and languages, the first key first."""
    languages = list(labels.languages)
    places = {
        "suite": parts_of(rows, labels), "model": list(labels.models), "label": list(labels.mask_sets),
        "mask_language": languages, "first": languages, "second": languages,
    }  # fmt: skip
    order = {key: {name: place for place, name in enumerate(places[key])} for key in keys}
    ordered = rows.sort_values(keys, key=lambda column: column.map(order[column.name]), kind="stable")
    return ordered.reset_index(drop=True)
