"""The table of the calibration: which criterion knows what masking will do."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crane.results.calibration import SHOWN, calibration_rows, kind_name, kinds_of, names_of
from crane.results.cells import NOTHING, signed
from crane.results.labels import Labels
from crane.tables.rendering import Table

CEILING = "Ceiling"


def calibration_table(
    calibration: pd.DataFrame, labels: Labels, *, resamples: int, measured: Mapping[str, Any]
) -> Table:
    """Rank correlation of every criterion with the measured effects, per language; below each block the ceiling.

    Args:
        calibration: of `crane.scores.calibration.calibrate`, with the mask sets of each criterion.
        labels: of the study.
        resamples: bootstrap samples.
        measured: the section `calibration` of the configuration.

    Raises:
        ResultsError: no results, or of a mask set or language that the study does not have.
    """
    rows = calibration_rows(calibration, labels)
    lines: list[dict[tuple[str, str], str]] = []
    for kind in kinds_of(rows):
        for measure, title in SHOWN.items():
            block = rows[(rows["kind"] == kind) & (rows["measure"] == measure)]
            for name in names_of(block):
                here = block[block["name"] == name].set_index("language")
                lines.append(_line(kind_name(kind, measured), title, name))
                for code in labels.languages:
                    one = here.loc[code]
                    lines[-1][labels.languages[code], "Correlation"] = signed(one["spearman"], 2)
                    lines[-1][labels.languages[code], "95% interval"] = _bounds(one["low"], one["high"])
                    lines[-1][labels.languages[code], "Of ceiling"] = signed(one["of_ceiling"], 2)
            ceilings = block.drop_duplicates("language").set_index("language")["ceiling"]
            lines.append(_line(kind_name(kind, measured), title, CEILING))
            for code in labels.languages:
                lines[-1][labels.languages[code], "Correlation"] = signed(ceilings[code], 2)
                lines[-1][labels.languages[code], "95% interval"] = NOTHING
                lines[-1][labels.languages[code], "Of ceiling"] = NOTHING
    notes = [
        "Spearman's rank correlation between a criterion's score of a neuron in a language and the change of that "
        "language's loss (nats per token of held-out texts, none of which was used for relevance) when the neuron is "
        "zeroed. Neurons are random, as are groups, which have neurons of one layer and as score the sum of their "
        "neurons' scores.",
        "Own minus largest other: the change of the language's loss minus the largest change of another language, "
        "which is what the mask sets select for; the CSV has the change minus the others' mean, too (specific_mean).",
        "Named after mask sets: the order in which they select (margins over the other languages); sets that differ in "
        "nothing but their number of neurons share it. The other rows are statistics of the language alone.",
        "Ceiling: the square root of the reliability of the measured effects, 2 r / (1 + r) from the correlation r of "
        "the halves of the documents (Spearman-Brown). A perfect criterion would reach it; of ceiling: the correlation "
        f"divided by it. {NOTHING}: the halves do not agree, so that nothing can be said of such a measure.",
        f"Brackets: 95% percentile bootstrap over neurons (groups) within layers, {resamples:,} resamples. Groups "
        "differ most by their layer: what correlates with their effects may know layers rather than neurons.",
    ]
    return Table(
        "Calibration: rank correlation of every criterion with the measured effect of zeroing.",
        rows.drop(columns="name"),
        pd.DataFrame(lines),
        notes,
        3,
    )


def _line(zeroed: str, measure: str, name: str) -> dict[tuple[str, str], str]:
    return {("", "Zeroed"): zeroed, ("", "Effect"): measure, ("", "Criterion"): name}


def _bounds(low: float, high: float) -> str:
    if pd.isna(low) or pd.isna(high):
        return NOTHING
    return f"[{signed(low, 2)}, {signed(high, 2)}]"
