"""Results of steering between the languages of a study."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from crane.names import ORIGINAL
from crane.scores.steering import KINDS


def drawn_steering(
    pairs: Sequence[Sequence[str]], sets: dict[str, tuple[str, str]], *, known: bool = True
) -> pd.DataFrame:
    """Return drawn results, one row per mask set and pair; the unmasked model moves nothing.

    Args:
        pairs: languages asked in and targets.
        sets: mask set -> its label and method.
        known: whether answers are known in both languages.
    """
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for mask_set, (label, method) in {ORIGINAL: (ORIGINAL, ORIGINAL), **sets}.items():
        for asked, target in pairs:
            shares = rng.dirichlet(np.ones(len(KINDS)))
            measured = known and mask_set != ORIGINAL
            shift = rng.uniform(0.3, 0.9) if measured else np.nan
            loss = 0.0 if mask_set == ORIGINAL else rng.uniform(0, 2)
            rows.append(
                {
                    "model": "base", "mask_set": mask_set, "asked": asked, "target": target, "n": 40,
                    **{f"{kind}_share": share for kind, share in zip(KINDS, shares, strict=True)},
                    "target_low": max(0.0, shares[0] - 0.1), "target_high": min(1.0, shares[0] + 0.1),
                    "known": 30 if measured else 0, "shift_share": shift, "shift_low": shift - 0.1,
                    "shift_high": shift + 0.1, "shift": shift, "target_loss": loss, "asked_loss": loss / 2,
                    "other_loss": loss / 4, "method": method, "label": label,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
