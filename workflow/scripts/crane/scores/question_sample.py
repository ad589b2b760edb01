"""A part of a benchmark's questions: drawn by strata, with a seed, the same questions in every language of a suite."""

import hashlib

import numpy as np
import pandas as pd

from crane.scores.units import resampling_units


def draw_questions(prompts: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Return about `count` questions of a benchmark (all if it has no more), in their order.

    Every stratum gets its share of `count` by the largest remainders. Within it, units (a passage with all its
    questions, or a question) are drawn in the order of a hash of the seed and their name, which depends on no language
    (`crane.scores.units`): parallel benchmarks give the same questions. A passage is drawn whole, so that there can be
    some questions more than `count`.

    Args:
        prompts: of `crane.evaluation.prompts.render_benchmark`: task, doc_id, stratum, cluster.
        count: questions wanted.
        seed: of the draw.
    """
    if count >= len(prompts):
        return prompts
    units = resampling_units(prompts.reset_index(drop=True), parallel=True)
    sizes = units.groupby(["stratum", "cluster"]).size().rename("questions").reset_index()
    sizes["rank"] = [
        hashlib.blake2b(f"{seed}\x1f{stratum}\x1f{cluster}".encode(), digest_size=8).digest()
        for stratum, cluster in zip(sizes["stratum"], sizes["cluster"], strict=True)
    ]
    wanted = _shares(sizes.groupby("stratum")["questions"].sum(), count)
    drawn = sizes.sort_values("rank")
    before = drawn.groupby("stratum")["questions"].cumsum() - drawn["questions"]
    drawn = drawn[before < drawn["stratum"].map(wanted)]
    chosen = pd.MultiIndex.from_frame(drawn[["stratum", "cluster"]])
    return prompts[pd.MultiIndex.from_frame(units[["stratum", "cluster"]]).isin(chosen)].reset_index(
        drop=True
    )


def _shares(sizes: pd.Series, count: int) -> pd.Series:
    """Return how much of `count` each stratum gets: in proportion to its size, rounded by the largest remainders."""
    exact = sizes * count / sizes.sum()
    whole = np.floor(exact).astype(int)
    largest = (exact - whole).sort_values(ascending=False, kind="stable").index[: count - whole.sum()]
    whole[largest] += 1
    return whole
