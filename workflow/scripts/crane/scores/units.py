"""What the bootstrap draws: questions or passages, in a parallel suite the same ones in all languages."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crane.artefacts import ArtefactError


def resampling_units(questions: pd.DataFrame, *, parallel: bool) -> pd.DataFrame:
    """Return stratum and cluster of each question of one benchmark.

    In a parallel suite their names do not depend on the language: tasks and strata are numbered in the order of their
    names, and a question that is in no cluster is known by its number.

    Args:
        questions: one row per question: task, doc_id, stratum, cluster.
        parallel: whether question i is the same in all languages of the suite.
    """
    if not parallel:
        return questions[["stratum", "cluster"]].astype(str)
    numbers = {name: _ranks(questions[name]) for name in ("task", "stratum")}
    question = numbers["task"] + "/" + questions["doc_id"].astype(str)
    cluster = question.where(in_no_passage(questions), questions["cluster"].astype(str))
    return pd.DataFrame({"stratum": numbers["stratum"], "cluster": cluster})


def in_no_passage(questions: pd.DataFrame) -> pd.Series:
    """Return bool per row: whether the question is a cluster of its own, which prompts name task/doc_id."""
    return questions["cluster"] == questions["task"] + "/" + questions["doc_id"].astype(str)


def _ranks(names: pd.Series) -> pd.Series:
    places = np.unique(names.astype(str), return_inverse=True)[1]
    return pd.Series(places.astype(str), index=names.index)


def per_unit(units: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Sum the questions' values `[C, n]` within each unit: `[C, U]`, units in the order of their names."""
    place = units.groupby(["stratum", "cluster"]).ngroup().to_numpy()
    summed = np.zeros((len(values), place.max() + 1))
    for row, own in zip(summed, values, strict=True):
        row += np.bincount(place, own, len(row))
    return summed


def check_parallel(units: Mapping[str, pd.DataFrame], where: str) -> None:
    """Check that the benchmarks of a parallel suite have the same units, with as many questions in each.

    Args:
        units: benchmark -> its units, of `resampling_units`.
        where: what is checked, for the message.

    Raises:
        ArtefactError: they differ.
    """
    counts = {name: table.groupby(["stratum", "cluster"]).size() for name, table in units.items()}
    first = next(iter(counts))
    for name, counted in counts.items():
        if not counted.equals(counts[first]):
            sizes = [
                f"{each!r} has {counts[each].sum()} questions in {len(counts[each])} units"
                for each in (first, name)
            ]
            odd = counted.index.symmetric_difference(counts[first].index)
            example = f"; {'/'.join(odd[0])} is in one of them only" if len(odd) else ""
            raise ArtefactError(
                f"{where} is declared parallel, but {' and '.join(sizes)}{example}; take it out of scores.parallel, or "
                "ask the same questions in all languages"
            )
