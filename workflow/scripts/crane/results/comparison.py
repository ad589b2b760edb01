"""All methods beside each other: what each mask of theirs does, and what is known of the choice of its neurons."""

from collections.abc import Mapping, Sequence

import pandas as pd

from crane.results.answers import answer_rows
from crane.results.labels import Labels, ResultsError
from crane.results.null_shares import null_shares
from crane.results.selectivity import Contrasts, selectivity_rows
from crane.scores.mask_sets import Groups, Summaries

MEASURE = ("neuron", "specific")
"""The calibration that is shown: single neurons, and the change of the own loss minus the largest other."""


def comparison_rows(
    contrasts: Contrasts,
    summaries: Summaries,
    groups: Groups,
    labels: Labels,
    stability: pd.DataFrame | None = None,
    selection_null: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
    *,
    model: str,
    suite: str,
    methods: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Return one row per method, mask set and mask language, in this order.

    Args:
        contrasts: of the suites and of perplexity.
        summaries: of the mask sets.
        groups: of the mask sets.
        labels: of the study.
        stability: of `crane.selection.stability`.
        selection_null: of `crane.selection.selection_null`, if it was measured.
        calibration: of `crane.scores.calibration.calibrate`, with the mask sets of each criterion, if it was measured.
        model: on which the masks are compared.
        suite: suite of benchmarks, `open` or `perplexity`.
        methods: name -> mask sets without seeds.

    Returns:
        name (of the method), label (mask set), mask_language, neurons (mean over seeds), d, d_low, d_high, interval,
        seeds, verdict (of `crane.results.answers`; None for references), random_seeds, random_reaching, split_half,
        by_chance, null_share (of the selection null; NaN without), spearman and ceiling (`MEASURE`; NaN without).

    Raises:
        ResultsError: no results of a mask set.
    """
    named = [(name, label) for name, mask_sets in methods.items() for label in mask_sets]
    every = selectivity_rows(contrasts, labels)
    every = every[(every["model"] == model) & (every["suite"] == suite)].set_index(["label", "mask_language"])
    keys = [(name, label, code) for name, label in named for code in labels.languages]
    if lacking := [label for _, label, code in keys if (label, code) not in every.index]:
        raise ResultsError(f"comparison: no results of mask set {lacking[0]!r} on {suite}")
    rows = pd.DataFrame(keys, columns=["name", "label", "mask_language"])
    where = pd.MultiIndex.from_frame(rows[["label", "mask_language"]])
    for column in ("d", "d_low", "d_high", "interval", "seeds"):
        rows[column] = every[column].reindex(where).to_numpy()
    totals = pd.DataFrame(
        [(groups[name]["group"], code, facts["total"]) for name, of_set in summaries.items()
         for code, facts in of_set.items()], columns=["label", "mask_language", "neurons"],
    )  # fmt: skip
    sizes = totals.groupby(["label", "mask_language"])["neurons"].mean()
    rows["neurons"] = sizes.reindex(where).to_numpy()

    answers = answer_rows(contrasts, summaries, groups, labels, stability)
    answers = answers[(answers["model"] == model) & (answers["suite"] == suite)].set_index(
        ["label", "mask_language"]
    )
    for column in ("verdict", "random_seeds", "random_reaching", "split_half", "by_chance"):
        rows[column] = answers[column].reindex(where).to_numpy()
    rows["null_share"] = float("nan")
    if selection_null is not None:
        rows["null_share"] = null_shares(selection_null)["share"].reindex(where).to_numpy()
    rows[["spearman", "ceiling"]] = _calibrated(calibration, where)
    return rows


def _calibrated(calibration: pd.DataFrame | None, where: pd.MultiIndex) -> pd.DataFrame | float:
    if calibration is None:
        return float("nan")
    kind, measure = MEASURE
    of_sets = calibration["mask_sets"] != ""  # the others are statistics of single languages
    here = calibration[of_sets & (calibration["kind"] == kind) & (calibration["measure"] == measure)]
    here = here.assign(label=here["mask_sets"].str.split(",")).explode("label")
    found = here.set_index(["label", "language"])[["spearman", "ceiling"]]
    return found.reindex(where).to_numpy()
