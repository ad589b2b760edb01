"""Names of the columns that accumulators add to the tables of statistics.

Standard library only: the Snakefile imports this module on every node.
"""

TOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of a layer's neurons, highest ranked in a sample, for which `top_count` is made."""
COLUMNS = {
    "values": ("mean_gate", "value_std"),
    "energy": ("energy", "energy_worst_rank", *(f"energy_top_{share:g}" for share in TOPS)),
    "up": ("up_abs", "up_worst_rank", *(f"up_top_{share:g}" for share in TOPS)),
    "gradients": ("mean_abs_token", "mean_gradient"),
}
"""Accumulator -> its columns:

* mean_gate: mean of the activated gate over all tokens; value_std: standard deviation of the neuron over the counted
  tokens.
* energy, up_abs: mean over the samples of e and of sum_t |u| (`crane.relevance.accumulators`); *_worst_rank: the
  neuron's lowest place in its layer in any sample, 0 being the highest importance; *_top_<share>: samples in which it
  is among that share of its layer's neurons.
* mean_abs_token: mean of |relevance| over the counted tokens; mean_gradient: mean over the samples of the gradient's
  sum over the tokens.
"""

BYTES = {"values": 24, "energy": 12 + 4 * len(TOPS), "up": 12 + 4 * len(TOPS), "gradients": 16}
"""Accumulator -> bytes per neuron in the file beside a shard."""


def top_column(accumulator: str, share: float) -> str:
    """Return the column of the samples in which a neuron is among a share of its layer, one of `TOPS`."""
    return f"{accumulator}_top_{share:g}"
