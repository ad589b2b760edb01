"""Log-likelihoods of documents under masks, and the perplexities that follow from them."""

import numpy as np
import pandas as pd
from crane.scores.perplexity import summarise

from support.published_results import BASE, LANGUAGES

DOCUMENTS = 30


def documents(seed: int = 0) -> pd.DataFrame:
    """Log-likelihoods of 30 documents per language; a mask makes its own language's less likely."""
    rng = np.random.default_rng(seed)
    frames = []
    for language in LANGUAGES:
        tokens = rng.integers(5, 60, DOCUMENTS)
        plain = -tokens * rng.gamma(20, 0.1, DOCUMENTS)
        conditions = [("original", "none", 1.0)]
        for code in LANGUAGES:
            conditions.append(("crane", code, 1.3 if code == language else 1.01))
            conditions += [(f"random-{s}", code, 1.05 + 0.1 * s) for s in range(2)]
        for mask_set, code, factor in conditions:
            frames.append(pd.DataFrame({
                "model": BASE, "mask_set": mask_set, "mask_language": code, "language": language,
                "sample_id": range(DOCUMENTS), "text_sha256": [f"{language}{i}" for i in range(DOCUMENTS)],
                "tokens": tokens, "log_likelihood": plain * factor,
            }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def perplexities() -> pd.DataFrame:
    """Return what the scores stage makes of the documents, with the labels that the script adds."""
    found = summarise(documents(), resamples=500).perplexity
    found.insert(2, "label", found["mask_set"].str.replace(r"-\d", "", regex=True))
    found.insert(3, "method", found["label"])
    return found
