"""How the lengths of a language's documents and samples are described: in a corpus's metadata and the table of them."""

from collections.abc import Sequence

import numpy as np

QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
MEDIAN = QUANTILES.index(0.5)


def length_quantiles(lengths: Sequence[int]) -> list[float]:
    """Return the `QUANTILES` of lengths in tokens."""
    return np.quantile(lengths, QUANTILES).tolist()
