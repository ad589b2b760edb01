"""The table of relevance statistics per neuron, and the grids that selection reads from it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from crane.models.architectures import Site
from crane.names import ROUTED_SAMPLES
from crane.neurons.normalisation import normalise
from crane.relevance.moments import Moments
from crane.relevance.routing import Routed
from crane.relevance.shards import Statistics

SHAPE = ("skewness", "kurtosis", "outlier_share")
"""Statistics of a distribution's shape, which a block of zeros changes beyond recognition."""
SCALE = ("mean", "std", "fourth_root", "mean_abs")


def layer_table(
    statistics: Mapping[str, Statistics], layer: int, site: Site, least: int = ROUTED_SAMPLES
) -> pd.DataFrame:
    """Return one layer's tidy table: a row per language and neuron.

    Columns: language, layer, site, neuron, count (samples), mean, std, skewness, kurtosis (Eq. 2), fourth_root
    (fourth central moment to the power 1/4), mean_abs, minimum, maximum, outlier_share (bound of the share of the
    fourth moment owed to one sample), z (kurtosis as z-score in this language and layer), and, at site
    `intermediate`, tokens, active (tokens with a positive activation) and activation_probability; counted (tokens) and
    mean_value (of the neuron itself over them, for the intervention `mean`).

    With experts, tokens, counted and what is divided by them are those routed to the neuron, NaN without any; routed
    are the samples with such tokens. Samples without have relevance 0, which is a true value: mean, std, fourth_root,
    mean_abs, minimum and maximum are those of all samples. The shape would be that of the routing, since kurtosis grows
    with the number of zeros: skewness, kurtosis, outlier_share and z are those of the routed samples, NaN if there are
    fewer than `least`. The others of both kinds end in `_routed` and `_all`.

    Args:
        statistics: language -> its statistics of this layer.
        layer: its number.
        site: where the neurons are.
        least: routed samples that the statistics of routed samples need.
    """
    frames = []
    for language, merged in statistics.items():
        moments, routed = merged.moments, merged.routed
        whole = moments if routed is None else moments.with_zeros(routed.total)
        columns = _columns(whole)
        if routed is not None:
            columns |= _of_routed(moments, routed, least, columns)
        frame = pd.DataFrame(
            {
                "language": language,
                "layer": layer,
                "site": site,
                "neuron": np.arange(len(moments.mean)),
                "count": whole.n,
                **columns,
            }
        )
        frame["z"] = normalise(frame["kurtosis"].to_numpy()[None, None], "layer")[0, 0]
        tokens: Any = merged.tokens
        counted: Any = merged.counted
        if routed is not None:
            tokens, counted = _of_neurons(routed, routed.tokens), _of_neurons(routed, routed.counted)
        if site == "intermediate":
            frame["tokens"] = tokens
            frame["active"] = merged.active.numpy()
            frame["activation_probability"] = frame["active"] / frame["tokens"]
        frame["counted"] = counted
        frame["mean_value"] = merged.value_sum.numpy() / frame["counted"]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _columns(moments: Moments) -> dict[str, np.ndarray]:
    return {
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


def _of_neurons(routed: Routed, of_groups: Tensor) -> np.ndarray:
    return routed.groups.spread(of_groups).numpy()


def _of_routed(
    moments: Moments, routed: Routed, least: int, of_all: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the columns in which experts differ, from those of all samples."""
    samples = _of_neurons(routed, routed.samples)
    own = {name: np.where(samples >= least, values, np.nan) for name, values in _columns(moments).items()}
    return {
        "routed": samples,
        **{name: own[name] for name in SHAPE},
        **{f"{name}_all": of_all[name] for name in SHAPE},
        **{f"{name}_routed": own[name] for name in SCALE},
    }
