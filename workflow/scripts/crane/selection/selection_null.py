"""How many neurons would a rule select if the languages did not differ?

The identical rule on pseudo-languages (method, section 11). The shards of one language are dealt into as many groups as
the study has languages, and the groups are compared as if they were languages. They differ in their texts alone, so
what the rule selects for them is its null. It stands beside what the rule selects from the real languages at the same
number of samples: group g of every language.

A group of texts is thus used twice: against the other groups of its own language (expected) and against the same group
of the other languages (observed). The share of a mask is the expected count over the observed one, both summed over the
groups of its language: near 0 if the languages differ, near 1 if the rule selects as much without any difference.

A budget hides the difference, because the rule fills it in the null, too. Such a rule ends at the lowest score that it
selects from the real languages, and the neurons of the null that reach this score are expected, as in a permutation
estimate of the false discovery rate (Tusher et al. 2001).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crane.models.architectures import Site
from crane.names import ROUTED_SAMPLES
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.merged import merged_table
from crane.selection.choose import choose, columns

COLUMNS = ["mask_set", "mask_language", "group", "samples", "observed", "identical", "expected"]
"""Columns of the result."""


def group_table(
    shards: Mapping[str, Mapping[str, list[Path] | list[str]]],
    selections: Mapping[str, Mapping[str, Any]],
    *,
    layers: int,
    site: Site,
    least: int = ROUTED_SAMPLES,
) -> pd.DataFrame:
    """Merge the shards of every language and group, one layer at a time, and keep what the selections read.

    Args:
        shards: group -> language -> its shards, and accumulators beside them.
        selections: mask set -> its settings.
        layers: of the model.
        site: where the neurons are.
        least: as of `crane.relevance.statistics.layer_table`.

    Returns:
        One row per group, language, layer and neuron: these, count (samples) and the columns that the selections read.
    """
    read = {column for settings in selections.values() for column in columns(settings)}
    wanted = sorted(read | {"count"})
    frames = []
    for layer in range(layers):
        for group, languages in shards.items():
            merged = merged_table(languages, layer, site, least, histograms=False)
            frames.append(merged[wanted].assign(group=group))
    return pd.concat(frames, ignore_index=True)


def selection_null(
    table: pd.DataFrame,
    selections: Mapping[str, Mapping[str, Any]],
    languages: Sequence[str],
    *,
    site: Site,
    counts: Mapping[str, Mapping[str, int]],
) -> pd.DataFrame:
    """Select from real languages and from pseudo-languages, by the same rules.

    Args:
        table: of `group_table`, with as many groups as languages.
        selections: mask set -> its settings.
        languages: names of the L languages.
        site: where the neurons are.
        counts: mask set -> language -> neurons of the set that it matches, for sets that take over counts.

    Returns:
        One row per mask set, language and group: `samples` of the group; `observed`, the neurons that the rule selects
        for the language from this group of all languages; `identical`, those that it selects for this group from the
        groups of the language, budget included; `expected`, the same for rules without a budget, and for rules with
        one the neurons that score at least as high as the lowest one observed.
    """
    groups = list(table["group"].unique())
    if len(groups) != len(languages):
        raise ValueError(f"{len(groups)} groups stand in for {len(languages)} languages, not as many")
    real = {group: rows.drop(columns="group") for group, rows in table.groupby("group", sort=False)}
    dealt = {
        language: rows.drop(columns="language").rename(columns={"group": "language"})
        for language, rows in table.groupby("language", sort=False)
    }
    samples = table.groupby(["language", "group"], sort=False)["count"].first()
    neurons = len(table) // len(samples)
    rows = []
    for name, settings in selections.items():
        of = counts.get(name)
        observed = {group: _chosen(real[group], settings, languages, site, of) for group in groups}
        for language in languages:
            same = None if of is None else dict.fromkeys(groups, of[language])
            identical = _chosen(dealt[language], settings, groups, site, same)
            expected = {group: identical.total(group) for group in groups}
            if budgeted(settings):
                every = dict.fromkeys(groups, neurons)
                ranked = _chosen(dealt[language], unlimited(settings, neurons), groups, site, every)
                least = {group: _scores(observed[group], language).min(initial=np.inf) for group in groups}
                expected = {group: int((_scores(ranked, group) >= least[group]).sum()) for group in groups}
            for group in groups:
                rows.append(
                    {
                        "mask_set": name, "mask_language": language, "group": group,
                        "samples": int(samples[language, group]),
                        "observed": observed[group].total(language), "identical": identical.total(group),
                        "expected": expected[group],
                    }
                )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def budgeted(settings: Mapping[str, Any]) -> bool:
    """Return whether a rule ends at a number of neurons: at a budget, at matched counts, or at LAPE's `top_rate`."""
    return "budget" in settings or settings["method"] in ("lape", "lape_matched", "grad_lape")


def unlimited(settings: Mapping[str, Any], neurons: int) -> dict[str, Any]:
    """Return the settings of a rule with room for all neurons; `lape_matched` takes its counts elsewhere."""
    if "budget" not in settings:
        return (
            {**settings, "top_rate": 1.0} if settings["method"] in ("lape", "grad_lape") else dict(settings)
        )
    fill = {"fill": True} if settings["budget"].get("fill") else {}
    return {**settings, "budget": {"count": neurons, **fill}}


def _chosen(
    table: pd.DataFrame,
    settings: Mapping[str, Any],
    languages: Sequence[str],
    site: Site,
    counts: Mapping[str, int] | None,
) -> NeuronSet:
    return choose(table, settings, languages, site=site, counts=counts, may_be_empty=True)[0]


def _scores(neurons: NeuronSet, language: str) -> np.ndarray:
    """Return the scores of a language's neurons, of all layers."""
    return np.concatenate([np.empty(0), *neurons.scores[language].values()])
