"""Perplexity of every language's texts under every language's mask, against the unmasked model."""

import hashlib

import numpy as np
import pandas as pd

from crane.artefacts import ArtefactError
from crane.names import NO_MASK, ORIGINAL
from crane.scores.bootstrap import bootstrap_means, interval

CONDITION = ["mask_set", "mask_language"]


def summarise(documents: pd.DataFrame, *, resamples: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """Return the perplexity of every mask on every language's texts, with paired bootstrap intervals over documents.

    Perplexity is exp(-log-likelihood / predicted tokens) over all documents together.

    Args:
        documents: one row per document: model, mask_set, mask_language, language (of the text), sample_id,
            text_sha256, tokens (predicted), log_likelihood (nats). The unmasked model is one of the mask sets.
        resamples: bootstrap samples B, the same documents for all masks.
        seed: seed of the bootstrap.

    Returns:
        One row per model, mask_set, mask_language and language: documents, tokens, perplexity, low, high, log_ratio
        (log of the ratio to the unmasked perplexity), ratio_low, ratio_high (its interval, as logarithms).

    Raises:
        ArtefactError: a document is missing under some mask or differs between masks.
    """
    frames = []
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
        conditions = likelihood.index.to_frame(index=False)
        conditions.insert(0, "model", model)
        frames.append(
            conditions.assign(
                language=language, documents=len(tokens), tokens=int(tokens.sum()),
                perplexity=np.exp(mean), low=np.exp(low), high=np.exp(high),
                log_ratio=mean - mean[base], ratio_low=ratio_low, ratio_high=ratio_high,
            )
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)
