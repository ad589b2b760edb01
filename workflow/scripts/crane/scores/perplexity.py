"""Perplexity of every language's texts under every language's mask, against the unmasked model."""

import hashlib
from typing import NamedTuple

import numpy as np
import pandas as pd

from crane.artefacts import ArtefactError
from crane.names import NO_MASK, ORIGINAL, PERPLEXITY
from crane.scores.bootstrap import bootstrap_means, interval
from crane.scores.randomisation import Losses
from crane.scores.selectivity import Loss, contrasts

CONDITION = ["mask_set", "mask_language"]


class Summary(NamedTuple):
    """What the scores stage makes of the documents' log-likelihoods."""

    perplexity: pd.DataFrame
    """One row per model, mask set, mask language and language of the texts."""
    contrasts: pd.DataFrame
    """One row per model, mask set, mask language and other language; the suite is called `perplexity`."""


def summarise(documents: pd.DataFrame, *, resamples: int = 10_000, seed: int = 0) -> Summary:
    """Return the perplexity of every mask on every language's texts, with paired bootstrap intervals over documents.

    Perplexity is exp(-log-likelihood / predicted tokens) over all documents together.

    Args:
        documents: one row per document: model, mask_set, mask_language, language (of the text), sample_id,
            text_sha256, tokens (predicted), log_likelihood (nats). The unmasked model is one of the mask sets.
        resamples: bootstrap samples B, the same documents for all masks; and randomisations of the tests.
        seed: seed of both.

    Returns:
        `perplexity`: documents, tokens, perplexity, low, high, log_ratio (log of the ratio to the unmasked perplexity:
        the loss in nats per token), ratio_low, ratio_high (its interval, as logarithms). `contrasts`: as
        `crane.scores.selectivity.contrasts` returns them, of the losses in nats per token; documents of different
        languages are not paired.

    Raises:
        ArtefactError: a document is missing under some mask or differs between masks.
    """
    frames = []
    losses: dict[str, dict[tuple[str, str, str], Loss]] = {}
    for (model, language), rows in documents.groupby(["model", "language"], sort=False):
        where = f"perplexity of {language!r} texts on {model!r}"
        if (rows.groupby("sample_id")[["text_sha256", "tokens"]].nunique() != 1).any(axis=None):
            raise ArtefactError(f"{where}: documents differ between masks; delete the results and run again")
        likelihood = rows.pivot(index=CONDITION, columns="sample_id", values="log_likelihood")
        if likelihood.isna().any(axis=None):
            raise ArtefactError(f"{where}: a document lacks a mask; delete the results and run again")
        if (ORIGINAL, NO_MASK) not in likelihood.index:
            raise ArtefactError(f"{where}: no results without a mask")
        tokens = rows.drop_duplicates("sample_id").set_index("sample_id")["tokens"].loc[likelihood.columns]
        table = np.vstack([-likelihood.to_numpy(), tokens.to_numpy()])
        entropy = (seed, *hashlib.sha256(f"perplexity {language}".encode()).digest()[:8])
        draws = bootstrap_means(
            table, [""] * len(tokens), likelihood.columns.map(str).tolist(), resamples=resamples, seed=entropy
        )
        base = list(likelihood.index).index((ORIGINAL, NO_MASK))
        mean = table[:-1].sum(axis=1) / table[-1].sum()
        drawn = draws[:, :-1] / draws[:, [-1]]
        low, high = interval(drawn)
        ratio_low, ratio_high = interval(drawn - drawn[:, [base]])
        lost = likelihood.to_numpy()[base] - likelihood.to_numpy()
        for row, (mask_set, mask_language) in enumerate(likelihood.index):
            if mask_set != ORIGINAL:
                loss = Loss(
                    float(mean[row] - mean[base]), drawn[:, row] - drawn[:, base],
                    Losses(lost[row], tokens.to_numpy(np.float64)),
                )  # fmt: skip
                losses.setdefault(model, {})[mask_set, mask_language, language] = loss
        conditions = likelihood.index.to_frame(index=False)
        conditions.insert(0, "model", model)
        frames.append(
            conditions.assign(
                language=language, documents=len(tokens), tokens=int(tokens.sum()),
                perplexity=np.exp(mean), low=np.exp(low), high=np.exp(high),
                log_ratio=mean - mean[base], ratio_low=ratio_low, ratio_high=ratio_high,
            )
        )  # fmt: skip
    compared = [
        contrasts(of_model, paired=False, resamples=resamples, seed=seed, name=PERPLEXITY).assign(
            model=model, suite=PERPLEXITY
        )
        for model, of_model in losses.items()
    ]
    return Summary(pd.concat(frames, ignore_index=True), pd.concat(compared, ignore_index=True))
