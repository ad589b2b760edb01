"""What the explorer page knows: mask sets, statistics of the shown neurons, their ranks, stability and effects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crane.models.architectures import Site
from crane.names import HALVES
from crane.neurons.neuron_set import NeuronSet
from crane.results.labels import ResultsError
from crane.selection.choose import choose, columns
from crane.selection.full_ranking import full_ranks
from crane.selection.ranking import SelectionError

STATISTICS = (
    "z", "kurtosis", "skewness", "mean", "std", "mean_abs", "minimum", "maximum", "outlier_share",
    "activation_probability", "mean_value", "count",
)  # fmt: skip
"""Columns of the statistics tables on the page, as far as the study's site has them."""
EFFECTS = ("change", "change_even", "change_odd")
"""Columns of the measured effects: on all held-out texts, and on those of even and of odd number."""


class Chosen(NamedTuple):
    """A mask set of the page."""

    name: str
    label: str
    neurons: NeuronSet
    settings: Mapping[str, Any]
    """As in the configuration."""
    measured: bool
    """Whether it is selected from the study's own statistics, and so again on each half of the texts."""


def plain(values: Iterable[Any]) -> list[Any]:
    """Return numbers for JSON: four significant digits, None for NaN and infinity."""
    return [None if not np.isfinite(value) else float(f"{value:.4g}") for value in values]


def members(neurons: NeuronSet, width: int) -> dict[str, list[int]]:
    """Return language -> `layer * width + number` of its neurons, ascending, each as the distance from the one before.

    Distances are small, and so compress well.
    """
    flat = {
        language: np.concatenate(
            [np.array([], np.int64), *(layer * width + index for layer, index in sorted(neurons[language].items()))]
        )
        for language in neurons
    }  # fmt: skip
    return {language: np.diff(numbers, prepend=0).tolist() for language, numbers in flat.items()}


def statistics_of(
    tables: Iterable[pd.DataFrame], pairs: Sequence[tuple[int, int]], languages: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """Return language -> column of `STATISTICS` -> float64 `[n]` for n neurons (layer, number), in their order."""
    wanted = pd.MultiIndex.from_tuples(pairs, names=["layer", "neuron"])
    parts = []
    for table in tables:
        numbers = [neuron for layer, neuron in pairs if layer == table["layer"].iloc[0]]
        parts.append(table[table["neuron"].isin(numbers)])
    rows = pd.concat(parts)
    found = {}
    for language in languages:
        own = rows[rows["language"] == language].set_index(["layer", "neuron"]).loc[wanted]
        found[language] = {name: own[name].to_numpy(np.float64) for name in STATISTICS if name in own}
    return found


def margins(z: Mapping[str, np.ndarray], language: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest z-score of the other languages, and by how much a language's own exceeds it, `[n]` each.

    Both are NaN where any score that they need is undefined.
    """
    other = np.max([values for code, values in z.items() if code != language], axis=0)
    return other, z[language] - other


def selected_again(chosen: Chosen, halves: Mapping[str, pd.DataFrame], site: Site) -> list[NeuronSet]:
    """Return what a mask set's rule selects on each half of the texts; nothing where it cannot."""
    if not chosen.measured or not halves:
        return []
    languages = list(chosen.neurons)
    counts = {language: chosen.neurons.total(language) for language in languages}
    try:
        return [
            choose(halves[half], chosen.settings, languages, site=site, counts=counts)[0] for half in HALVES
        ]
    except SelectionError:
        return []


def has(neurons: NeuronSet, language: str, layer: int, neuron: int) -> bool:
    """Return whether a neuron is in a language's mask."""
    index = neurons[language].get(layer, np.array([], np.int64))
    place = int(np.searchsorted(index, neuron))
    return place < len(index) and int(index[place]) == neuron


def choices(
    shown: pd.DataFrame,
    sets: Sequence[Chosen],
    statistics: Mapping[str, Mapping[str, np.ndarray]],
    numbers: Mapping[tuple[int, int], int],
    halves: Mapping[str, pd.DataFrame],
    site: Site,
) -> dict[str, list[Any]]:
    """Return the rows of the page's table by column: a row is a neuron that a mask set has for a language.

    Columns: set and neuron (numbers), language (code), place, score, other and margin (of the kurtosis' z-scores),
    halves (of the texts on which the set's rule selects the neuron again; None if it was not repeated).
    """
    rows: dict[str, list[Any]] = {
        name: [] for name in ("set", "neuron", "language", "place", "score", "other", "margin", "halves")
    }
    for number, chosen in enumerate(sets):
        again = selected_again(chosen, halves, site)
        of_set = shown[shown["mask_set"] == chosen.name]
        for language, own in of_set.groupby("language", sort=False):
            code = str(language)
            pairs = list(zip(own["layer"].astype(int), own["neuron"].astype(int), strict=True))
            places = [numbers[pair] for pair in pairs]
            other, margin = margins({each: columns_["z"] for each, columns_ in statistics.items()}, code)
            rows["set"] += [number] * len(own)
            rows["neuron"] += places
            rows["language"] += [code] * len(own)
            rows["place"] += own["place"].astype(int).tolist()
            rows["score"] += plain(own["score"])
            rows["other"] += plain(other[places])
            rows["margin"] += plain(margin[places])
            rows["halves"] += [
                sum(has(half, code, *pair) for half in again) if again else None for pair in pairs
            ]
    return rows


def ranks(
    sets: Sequence[Chosen],
    tables: Sequence[pd.DataFrame],
    pairs: Sequence[tuple[int, int]],
    languages: Sequence[str],
    site: Site,
) -> list[dict[str, list[int]] | None]:
    """Return, for each mask set, language -> the rank of some neurons among all; None without a ranking."""
    found: list[dict[str, list[int]] | None] = []
    layer, neuron = np.array(pairs).T
    for chosen in sets:
        of_all = None
        if chosen.measured:
            table = pd.concat([each[columns(chosen.settings)] for each in tables], ignore_index=True)
            of_all = full_ranks(table, chosen.settings, languages, site)
        found.append(
            None
            if of_all is None
            else {code: of_all[row, layer, neuron].tolist() for row, code in enumerate(languages)}
        )
    return found


def effects_of(table: pd.DataFrame | None, numbers: Mapping[tuple[int, int], int]) -> list[dict[str, Any]]:
    """Return the measured effects of zeroing single neurons: neuron, language, change, and on halves of the texts.

    Args:
        table: layer, neuron (missing for groups of several), language, change of the loss in nats per token, and, where
            they were measured, change_even and change_odd; None if nothing was measured.
        numbers: layer and neuron -> number of the neuron on the page.

    Raises:
        ResultsError: the table lacks one of these columns.
    """
    if table is None:
        return []
    missing = [name for name in ("layer", "neuron", "language", "change") if name not in table]
    if missing:
        raise ResultsError(f"the table of measured effects has no column {', '.join(missing)}")
    measured = [name for name in EFFECTS if name in table]
    single = table[table["neuron"].notna()].astype({"layer": int, "neuron": int})
    return [
        {
            "neuron": numbers[row["layer"], row["neuron"]],
            "language": row["language"],
            **dict(zip(measured, plain(row[name] for name in measured), strict=True)),
        }
        for row in single.to_dict("records")
        if (row["layer"], row["neuron"]) in numbers
    ]
