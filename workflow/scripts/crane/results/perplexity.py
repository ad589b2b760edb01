"""Perplexity per mask and text language in the study's order, for tables and figures."""

import numpy as np
import pandas as pd

from crane.names import NO_MASK, ORIGINAL
from crane.results.frames import seed_means
from crane.results.labels import Labels, ResultsError


def perplexity_rows(table: pd.DataFrame, labels: Labels, model: str) -> pd.DataFrame:
    """Return one row per mask and text language of one model, the unmasked model first, seeds averaged.

    Args:
        table: of `crane.scores.perplexity.summarise`, with `label` and `method`.
        labels: of the study; a mask set without results is left out.
        model: whose.

    Raises:
        ResultsError: no results of that model, or a mask set that the study does not have.
    """
    of_model = table[table["model"] == model]
    unknown = set(of_model["label"]) - {ORIGINAL, *labels.mask_sets}
    if of_model.empty or unknown:
        raise ResultsError(
            f"perplexity on {model!r}: {f'no mask set {min(unknown)!r}' if unknown else 'no results'}"
        )
    rows = seed_means(of_model)
    # The mean over seeds is that of the logarithms; the perplexity beside it is made to agree.
    plain = rows.loc[rows["label"] == ORIGINAL].set_index("language")["perplexity"]
    rows["perplexity"] = rows["language"].map(plain) * np.exp(rows["log_ratio"])
    sets = [ORIGINAL, *(label for label in labels.mask_sets if label in set(rows["label"]))]
    order = {name: place for place, name in enumerate([*sets, NO_MASK, *labels.languages])}
    keys = ["label", "mask_language", "language"]
    return rows.sort_values(keys, key=lambda column: column.map(order), kind="stable").reset_index(drop=True)
