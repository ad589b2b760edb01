"""The table of relevance statistics per neuron, and the grids that selection reads from it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crane.models.architectures import Site
from crane.neurons.normalisation import normalise
from crane.relevance.shards import Statistics


def layer_table(statistics: Mapping[str, Statistics], layer: int, site: Site) -> pd.DataFrame:
    """Return one layer's tidy table: a row per language and neuron.

    Columns: language, layer, site, neuron, count (samples), mean, std, skewness, kurtosis (Eq. 2), fourth_root
    (fourth central moment to the power 1/4), mean_abs, minimum, maximum, outlier_share (bound of the share of the
    fourth moment owed to one sample), z (kurtosis as z-score in this language and layer), and, at site
    `intermediate`, tokens, active (tokens with a positive activation) and activation_probability; counted (tokens) and
    mean_value (of the neuron itself over them, for the intervention `mean`).
    """
    frames = []
    for language, merged in statistics.items():
        moments = merged.moments
        frame = pd.DataFrame(
            {
                "language": language,
                "layer": layer,
                "site": site,
                "neuron": np.arange(len(moments.mean)),
                "count": moments.n,
                "mean": moments.mean.numpy(),
                "std": moments.variance().sqrt().numpy(),
                "skewness": moments.skewness().numpy(),
                "kurtosis": moments.kurtosis().numpy(),
                "fourth_root": (moments.m4 / moments.n).pow(0.25).numpy(),
                "mean_abs": moments.mean_abs.numpy(),
                "minimum": moments.minimum.numpy(),
                "maximum": moments.maximum.numpy(),
                "outlier_share": moments.outlier_share().numpy(),
            }
        )
        frame["z"] = normalise(frame["kurtosis"].to_numpy()[None, None], "layer")[0, 0]
        if site == "intermediate":
            frame["tokens"] = merged.tokens
            frame["active"] = merged.active.numpy()
            frame["activation_probability"] = frame["active"] / merged.tokens
        frame["counted"] = merged.counted
        frame["mean_value"] = merged.value_sum.numpy() / merged.counted
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
