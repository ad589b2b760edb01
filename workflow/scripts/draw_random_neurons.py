"""Draw random neurons, as many per language and layer as another mask set has, for every seed."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.random_like import magnitude_ratio, mean_magnitudes, random_like
from crane.selection.ranking import SelectionError
from crane.selection.summary import write_mask_set
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run a rule `draw_random_neurons_*`."""
    match = NeuronSet.read_parquet(snakemake.input.match)
    alike = snakemake.params.alike
    columns = ["language", "layer", "site", "neuron", *([alike] if alike else [])]
    statistics = pd.concat(read_table(path, columns) for path in snakemake.input.kurtosis)
    width = int(statistics["neuron"].max()) + 1
    if alike and set(statistics["site"]) != {match.site}:
        raise SelectionError(
            f"match_on needs statistics of the matched set's neurons, which are at site {match.site!r}; the study's "
            f"(relevance.site) are at {statistics['site'].iloc[0]!r}"
        )
    magnitudes = mean_magnitudes(statistics, alike) if alike else None
    draws = zip(snakemake.params.seeds, snakemake.output.neurons, snakemake.output.summaries, strict=True)
    for seed, neurons, summary in draws:
        drawn = random_like(match, width, seed, magnitudes)
        found = {} if magnitudes is None else {"magnitude_ratio": magnitude_ratio(drawn, match, magnitudes)}
        write_mask_set(drawn, neurons, summary, provenance(snakemake), **found)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
