"""The table of all methods at their budgets: effect, null, stability, calibration and cost."""

from collections.abc import Mapping, Sequence

import pandas as pd

from crane.results.answers import AS_RANDOM, SELECTIVE, UNCOMPARED, VERDICTS
from crane.results.cells import AGAINST_EACH, NOTHING, bounds, integer, percent, signed
from crane.results.comparison import comparison_rows
from crane.results.labels import Labels
from crane.results.selectivity import Contrasts, part_name, part_unit
from crane.scores.mask_sets import Groups, Summaries
from crane.tables.rendering import Table

MARKS = {SELECTIVE: "§", AS_RANDOM: "(§)", UNCOMPARED: "(§)"}
"""Verdict -> what stands behind D."""


def methods_table(
    contrasts: Contrasts,
    summaries: Summaries,
    groups: Groups,
    labels: Labels,
    stability: pd.DataFrame,
    selection_null: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
    *,
    model: str,
    suite: str,
    methods: Mapping[str, Sequence[str]],
    adds: Mapping[str, str],
    resamples: int,
) -> Table:
    """Return the methods, a row per method and mask set; the tidy shape has a row per mask.

    Args:
        contrasts: as all but `adds` and `resamples`, of `crane.results.comparison.comparison_rows`.
        summaries: of the mask sets.
        groups: of the mask sets.
        labels: of the study.
        stability: of the masks.
        selection_null: of the mask sets, if there is one.
        calibration: of the criteria, if there is one.
        model: on which the masks are compared.
        suite: suite of benchmarks, `open` or `perplexity`.
        methods: name -> mask sets.
        adds: mask set -> what its statistic needs besides the study's own relevance.
        resamples: bootstrap samples.

    Raises:
        ResultsError: no results of a mask set.
    """
    rows = comparison_rows(
        contrasts, summaries, groups, labels, stability, selection_null, calibration,
        model=model, suite=suite, methods=methods,
    )  # fmt: skip
    lines = [_line(of_set, labels, adds) for _, of_set in rows.groupby(["name", "label"], sort=False)]
    cells = pd.DataFrame(lines).fillna(NOTHING)
    absent = [column for column in cells if (cells[column] == NOTHING).all()]
    notes = [
        f"D: what a mask costs its own language minus what it costs the language that suffers most among the others "
        f"({part_unit(labels, suite)}). Brackets: 95% percentile bootstrap, {resamples:,} resamples; {AGAINST_EACH}; "
        "‡: mean, smallest and largest of several seeds.",
        f"{MARKS[SELECTIVE]}: {VERDICTS[SELECTIVE]} (level 0.05, Holm's correction over all masks of the study); "
        f"{MARKS[AS_RANDOM]}: the same, but more random masks do, or none of as many neurons were measured. Random: of "
        "the most similar random masks of each language, how many have as large a D.",
        "Means over the languages: Halves, the Jaccard index of the neurons chosen from two halves of the texts; Null, "
        "what the rule selects without any difference of language, as a share of what it selects; Calibration, the "
        "rank correlation of the order with the measured effect of zeroing single neurons (own loss minus the largest "
        "other), and the ceiling that its noise allows.",
        "Adds: what the statistic needs besides the moments of the study's own relevance and the counts of activation: "
        "another pass over the texts, or bytes per neuron and shard.",
    ]  # fmt: skip
    tidy = rows.drop(columns="name").rename(columns={"label": "mask_set"})
    tidy.insert(0, "method", rows["name"])
    return Table(
        f"All methods on {labels.models[model]}: {part_name(labels, suite)}.",
        tidy,
        cells.drop(columns=absent),
        notes,
    )


def _line(of_set: pd.DataFrame, labels: Labels, adds: Mapping[str, str]) -> dict[tuple[str, str], str]:
    first = of_set.iloc[0]
    line = {("", "Method"): str(first["name"]), ("", "Neurons"): _counts(of_set["neurons"])}
    for row in of_set.to_dict("records"):
        mark = MARKS.get(row["verdict"], "")
        line["D", labels.languages[row["mask_language"]]] = (
            f"{signed(row['d'], 2)}{mark} {bounds(row['d_low'], row['d_high'], row['interval'], 2)}"
        )
    if (of_set["random_seeds"] > 0).any():
        reaching = ", ".join(integer(count) for count in of_set["random_reaching"])
        line["", "Random"] = f"{reaching} of {integer(of_set['random_seeds'].max())}"
    line["", "Halves"] = _mean(of_set["split_half"], 2)
    line["", "Null"] = percent(of_set["null_share"].mean())
    line["", "Calibration"] = NOTHING
    if of_set["spearman"].notna().any():
        line["", "Calibration"] = f"{signed(of_set['spearman'].mean(), 2)} of {_mean(of_set['ceiling'], 2)}"
    line["", "Adds"] = adds.get(str(first["label"]), "") or NOTHING
    return line


def _counts(neurons: pd.Series) -> str:
    least, most = neurons.min(), neurons.max()
    return integer(least) if least == most else f"{integer(least)}–{integer(most)}"


def _mean(values: pd.Series, decimals: int) -> str:
    mean = values.mean()
    return NOTHING if pd.isna(mean) else f"{mean:.{decimals}f}"
