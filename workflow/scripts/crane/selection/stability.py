"""Do other texts select the same neurons, and do methods and languages select the same ones?"""

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd

from crane.models.architectures import Site
from crane.names import HALVES
from crane.neurons.neuron_set import NeuronSet, jaccard
from crane.selection.choose import choose
from crane.selection.ranking import SelectionError

OUTLIER_COLUMNS = ["language", "layer", "neuron", "outlier_share"]
"""Columns of the statistics tables that show for which neurons one sample dominates the kurtosis."""
OUTLIER = 0.5
"""One sample dominates a neuron's kurtosis if its share of the fourth central sum exceeds this."""


def expected_jaccard(one: Mapping[int, np.ndarray], other: Mapping[int, np.ndarray], width: int) -> float:
    """Return the Jaccard index of the expected overlap of two sets drawn at random with these counts per layer.

    Layer k of `width` neurons shares a_k b_k / width on average. Two empty sets: 1, as of `jaccard`.
    """
    shared = sum(len(one[k]) * len(other[k]) / width for k in one.keys() & other.keys())
    either = sum(map(len, one.values())) + sum(map(len, other.values())) - shared
    return shared / either if either else 1.0


def split_half(
    halves: Mapping[str, pd.DataFrame],
    selections: Mapping[str, Mapping[str, Any]],
    masks: Mapping[str, NeuronSet],
    width: int,
    site: Site,
) -> pd.DataFrame:
    """Repeat each selection on each half of the texts and compare the two results.

    Args:
        halves: the concatenated tables of all layers, for each half of the shards.
        selections: mask set -> its settings.
        masks: mask set -> its neurons, selected from all texts; `lape_matched` keeps their counts.
        width: neurons per layer.
        site: where the neurons are.

    Returns:
        One row per mask set and language: neurons selected on each half, `split_half` (Jaccard), `by_chance` (of
        random sets with the same counts per layer) and `reason` if a half selects no neurons.
    """
    rows: list[dict[str, Any]] = []
    for name, settings in selections.items():
        languages = list(masks[name])
        counts = {language: masks[name].total(language) for language in languages}
        try:
            one, other = (
                choose(halves[half], settings, languages, site=site, counts=counts)[0] for half in HALVES
            )
        except SelectionError as error:
            rows += [{"mask_set": name, "mask_language": code, "reason": str(error)} for code in languages]
            continue
        rows += [
            {
                "mask_set": name, "mask_language": code, "neurons_even": one.total(code),
                "neurons_odd": other.total(code), "split_half": jaccard(one[code], other[code]),
                "by_chance": expected_jaccard(one[code], other[code], width), "reason": None,
            }
            for code in languages
        ]  # fmt: skip
    columns = [
        "mask_set",
        "mask_language",
        "neurons_even",
        "neurons_odd",
        "split_half",
        "by_chance",
        "reason",
    ]
    return pd.DataFrame(rows, columns=columns)


def outliers(statistics: pd.DataFrame, masks: Mapping[str, NeuronSet]) -> pd.DataFrame:
    """Count the masked neurons for which one sample may make up more than `OUTLIER` of the fourth moment.

    Args:
        statistics: `OUTLIER_COLUMNS` of all neurons.
        masks: mask set -> its neurons.

    Returns:
        One row per mask set and language: neurons, outliers (count), outlier_share (of these neurons) and
        outlier_share_all (of all neurons of the model, in that language).
    """
    flags = {}
    for language, frame in statistics.groupby("language"):
        over = frame[frame["outlier_share"] > OUTLIER]
        flags[language] = (
            {layer: rows["neuron"].to_numpy() for layer, rows in over.groupby("layer")},
            len(over) / len(frame),
        )
    rows = []
    for name, neurons in masks.items():
        for code in neurons:
            flagged, everywhere = flags[code]
            chosen = neurons[code]
            count = sum(len(np.intersect1d(index, flagged[k])) for k, index in chosen.items() if k in flagged)
            total = neurons.total(code)
            rows.append(
                {
                    "mask_set": name, "mask_language": code, "neurons": total, "outliers": count,
                    "outlier_share": count / total, "outlier_share_all": everywhere,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def stability(
    masks: Mapping[str, NeuronSet],
    statistics: pd.DataFrame,
    halves: Mapping[str, pd.DataFrame],
    selections: Mapping[str, Mapping[str, Any]],
    *,
    groups: Mapping[str, str],
    variants: Sequence[str],
    site: Site,
) -> pd.DataFrame:
    """Return one row per mask set and language: the results of `outliers` and, if there are halves, of `split_half`.

    Args:
        masks: mask set -> its neurons.
        statistics: `OUTLIER_COLUMNS` of all neurons.
        halves: the concatenated tables of all layers, for each half of the shards; empty if there are none.
        selections: mask set -> its settings, for the sets that are selected again on each half.
        groups: mask set -> the set without its seed, which becomes `label`.
        variants: sets selected from another relevance run, about whose samples `statistics` says nothing.
        site: where the neurons are.
    """
    measured = outliers(statistics, masks)
    measured.loc[measured["mask_set"].isin(variants), ["outliers", "outlier_share"]] = None
    if halves:
        width = int(statistics["neuron"].max()) + 1
        again = split_half(halves, selections, masks, width, site)
        measured = measured.merge(again, on=["mask_set", "mask_language"], how="left", validate="one_to_one")
    measured.insert(1, "label", measured["mask_set"].map(groups))
    return measured


def overlap(masks: Mapping[str, NeuronSet], groups: Mapping[str, str], width: int) -> pd.DataFrame:
    """Return the Jaccard index of every pair of masks: between languages and between mask sets.

    Args:
        masks: mask set -> its neurons.
        groups: mask set -> the set without its seed; seeds are averaged, one seed's languages stay together.
        width: neurons per layer.

    Returns:
        label, mask_language, other_label, other_language, neurons (of the first), jaccard, by_chance; each pair in both
        orders.
    """
    members = [(name, code) for name, neurons in masks.items() for code in neurons]
    rows = []
    for (a, code), (b, other) in combinations_with_replacement(members, 2):
        if a != b and groups[a] == groups[b]:
            continue
        one, two = masks[a][code], masks[b][other]
        indices = jaccard(one, two), expected_jaccard(one, two, width)
        rows.append((groups[a], code, groups[b], other, masks[a].total(code), *indices))
        if (a, code) != (b, other):
            rows.append((groups[b], other, groups[a], code, masks[b].total(other), *indices))
    keys = ["label", "mask_language", "other_label", "other_language"]
    frame = pd.DataFrame(rows, columns=[*keys, "neurons", "jaccard", "by_chance"])
    return frame.groupby(keys, sort=False).mean().reset_index()
