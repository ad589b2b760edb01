"""Masks among many random ones, all on one part of the questions: the masks' own statistics are taken there as well."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from crane.artefacts import ArtefactError
from crane.names import NO_MASK, ORIGINAL, PERPLEXITY, REFERENCES
from crane.scores.langspec_f1 import langspec_f1
from crane.scores.mask_sets import Groups, Summaries, interventions_of, layers_of, with_groups
from crane.scores.null_distribution import COLUMNS, against_random
from crane.scores.significance import over_masks

MASK = ["model", "suite", "mask_set", "mask_language"]
CONDITION = [*MASK, "language"]
QUESTION = ["model", "benchmark", "task", "doc_id"]
ANSWER_COLUMNS = [*QUESTION, "mask_set", "mask_language", "doc_hash", "correct"]
"""Columns of a table of answers that are used."""


def benchmark_means(
    whole: Iterable[pd.DataFrame],
    sampled: Iterable[pd.DataFrame],
    benchmarks: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Return the accuracy under every mask on the questions of the part.

    Args:
        whole: tables of answers to all questions; one at a time is in memory.
        sampled: those to the questions of the part; at least one, all of the same questions.
        benchmarks: benchmark -> language and suite.

    Returns:
        `CONDITION`, questions (of the part), of (all), score.

    Raises:
        ArtefactError: a question of the part differs between masks, or has not one answer under each.
    """
    drawn = pd.concat([table[ANSWER_COLUMNS] for table in sampled], ignore_index=True)
    part = drawn[QUESTION].drop_duplicates()
    answers, sizes = [drawn], dict[tuple[str, str], int]()
    for table in whole:
        sizes |= table.drop_duplicates(QUESTION).groupby(["model", "benchmark"]).size().to_dict()
        answers.append(table[ANSWER_COLUMNS].merge(part, on=QUESTION))
    every = pd.concat(answers, ignore_index=True)
    means = _means(every, QUESTION, "doc_hash", ["model", "benchmark"], value="correct")
    means["of"] = [sizes[key] for key in zip(means["model"], means["benchmark"], strict=True)]
    means["suite"] = means["benchmark"].map(lambda name: benchmarks[name]["suite"])
    means["language"] = means["benchmark"].map(lambda name: benchmarks[name]["language"])
    return means[[*CONDITION, "questions", "of", "score"]]


def perplexity_means(whole: Iterable[pd.DataFrame], sampled: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the mean log-likelihood (nats per token) under every mask on the held-out texts of the part.

    Arguments, columns and errors as for `benchmark_means`; questions are documents, the suite is called perplexity.
    """
    document = ["model", "language", "sample_id"]
    columns = [*document, "mask_set", "mask_language", "text_sha256", "tokens", "log_likelihood"]
    drawn = pd.concat([table[columns] for table in sampled], ignore_index=True)
    tables = [table[columns] for table in whole]
    part = drawn[document].drop_duplicates()
    every = pd.concat([drawn, *(table.merge(part, on=document) for table in tables)], ignore_index=True)
    means = _means(every, document, "text_sha256", ["model", "language"], value="log_likelihood")
    sizes = pd.concat(tables).drop_duplicates(document).groupby(["model", "language"]).size()
    means["of"] = sizes.loc[pd.MultiIndex.from_frame(means[["model", "language"]])].to_numpy()
    tokens = every.groupby(["model", "language", "mask_set", "mask_language"])["tokens"].mean()
    where = pd.MultiIndex.from_frame(means[["model", "language", "mask_set", "mask_language"]])
    means["score"] /= tokens.loc[where].to_numpy()
    return means.assign(suite=PERPLEXITY)[[*CONDITION, "questions", "of", "score"]]


def _means(
    answers: pd.DataFrame, question: Sequence[str], digest: str, within: Sequence[str], *, value: str
) -> pd.DataFrame:
    """Return the mean value of every condition; every one has each question of the part once."""
    if (answers.groupby(list(question))[digest].nunique() != 1).any():
        raise ArtefactError("a question of the part differs between masks; delete the results and run again")
    condition = [*within, "mask_set", "mask_language"]
    counts = answers.groupby(condition).size()
    distinct = answers.drop_duplicates([*question, "mask_set", "mask_language"]).groupby(condition).size()
    wanted = answers.drop_duplicates(list(question)).groupby(list(within)).size()
    expected = wanted.reindex(counts.index.droplevel(["mask_set", "mask_language"])).to_numpy()
    if ((counts != expected) | (distinct != expected)).any():
        mask = counts[(counts != expected) | (distinct != expected)].index[0]
        raise ArtefactError(
            f"{'/'.join(map(str, mask))}: {counts[mask]} answers to the questions of the part, not one to each; delete "
            "the results and run again"
        )
    means = answers.groupby(condition, sort=False)[value].mean().rename("score").reset_index()
    means["questions"] = wanted.loc[pd.MultiIndex.from_frame(means[list(within)])].to_numpy()
    return means


def sampled_null(means: pd.DataFrame, groups: Groups, summaries: Summaries) -> pd.DataFrame:
    """Return how every mask stands among the random ones of the part, by selectivity D and by LangSpec-F1.

    D is the drop of the masked language minus the largest drop of another one (method, section 12), of accuracy or in
    nats per token; LangSpec-F1 is of benchmarks alone.

    Args:
        means: of `benchmark_means` and `perplexity_means`, the unmasked model among the mask sets.
        groups: of all these mask sets.
        summaries: of those with neurons.

    Returns:
        One row per model, suite, mask set that is a hypothesis, mask language and `statistic` (`d` or `f1`): label,
        method, questions, of (of the masked language), value, the columns of
        `crane.scores.null_distribution.against_random`, and null_p_holm (over the masks of a model and suite).
    """
    unmasked = means[means["mask_set"] == ORIGINAL].set_index(["model", "suite", "language"])["score"]
    rows: list[dict[str, Any]] = []
    masked = means[means["mask_language"] != NO_MASK]
    for (model, suite, mask_set, target), group in masked.groupby(MASK, sort=False):
        after = dict(zip(group["language"], group["score"], strict=True))
        before = {language: unmasked[model, suite, language] for language in after}
        drops = {language: before[language] - after[language] for language in after}
        own = group[group["language"] == target].iloc[0]
        about = dict(zip(MASK, (model, suite, mask_set, target), strict=True))
        about |= {"questions": own["questions"], "of": own["of"]}
        other = max(drop for language, drop in drops.items() if language != target)
        rows.append({**about, "statistic": "d", "value": drops[target] - other})
        if suite != PERPLEXITY:
            rows.append({**about, "statistic": "f1", "value": langspec_f1(before, after, target).f1})
    values = with_groups(pd.DataFrame(rows), groups)
    layers, interventions = layers_of(summaries), interventions_of(groups)
    found = []
    for _, of_statistic in values.groupby("statistic", sort=False):
        null = against_random(of_statistic, layers, interventions, statistic="value")
        joined = of_statistic.join(null[COLUMNS])
        found.append(joined.assign(null_p_holm=over_masks(joined, "null_p", ["model", "suite"])))
    every = pd.concat(found)
    return every[~every["method"].isin(REFERENCES)].sort_index(kind="stable").reset_index(drop=True)
