"""Names of the columns that accumulators add to the tables of statistics.

Standard library only: the Snakefile imports this module on every node.
"""

TOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of a layer's neurons, highest ranked in a sample, for which `top_count` is made."""
HISTOGRAMS = ("sample_histogram", "token_histogram")
"""Accumulators with bins, whose edges a pilot fixes before (`crane.relevance.bin_edges`)."""
BINS = 64
"""Bins between a neuron's edges; one more on each side takes what lies beyond them."""
PILOT_SAMPLES = 64
"""Default of `relevance.pilot`: samples of each language by which the edges are fixed."""
TOKEN_CAP = 100_000
"""Default of `relevance.token_cap`: tokens of each language in its token histograms."""
COLUMNS = {
    "values": ("mean_gate", "value_std"),
    "energy": ("energy", "energy_worst_rank", *(f"energy_top_{share:g}" for share in TOPS)),
    "up": ("up_abs", "up_worst_rank", *(f"up_top_{share:g}" for share in TOPS)),
    "gradients": ("mean_abs_token", "mean_gradient"),
    "sample_histogram": ("ap", "ap_low", "ap_high", "auroc", "median_value", "sample_overflow"),
    "token_histogram": ("overlap_with", "token_overflow"),
}
"""Accumulator -> its columns:

* mean_gate: mean of the activated gate over all tokens; value_std: standard deviation of the neuron over the counted
  tokens.
* energy, up_abs: mean over the samples of e and of sum_t |u| (`crane.relevance.accumulators`); *_worst_rank: the
  neuron's lowest place in its layer in any sample, 0 being the highest importance; *_top_<share>: samples in which it
  is among that share of its layer's neurons.
* mean_abs_token: mean of |relevance| over the counted tokens; mean_gradient: mean over the samples of the gradient's
  sum over the tokens.
* ap, ap_low, ap_high, auroc: how well the neuron's mean over a sample tells the language from the others
  (`crane.relevance.histogram_statistics`), and the bounds of ap that the bins leave; median_value: median of these
  means; sample_overflow: share of the samples beyond the edges.
* overlap_with: list of the overlaps of the activated gate's histogram with that of every language, in the order of the
  table's languages, 1 with its own; token_overflow: share of the tokens beyond the edges.
"""

BYTES = {
    "values": 24,
    "energy": 12 + 4 * len(TOPS),
    "up": 12 + 4 * len(TOPS),
    "gradients": 16,
    **dict.fromkeys(HISTOGRAMS, 4 * (BINS + 2) + 2 * 4),
}
"""Accumulator -> bytes per neuron in the file beside a shard; of a histogram, with its edges."""


def top_column(accumulator: str, share: float) -> str:
    """Return the column of the samples in which a neuron is among a share of its layer, one of `TOPS`."""
    return f"{accumulator}_top_{share:g}"
