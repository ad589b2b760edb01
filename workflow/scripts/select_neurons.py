"""Select each language's neurons by a statistic of their relevance: CRANE (kurtosis) and its relatives."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table
from crane.kurtosis import grid
from crane.mask_files import write_mask_set
from crane.select import by_rule, normalise
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `select_neurons`."""
    settings, languages = snakemake.params.selection, snakemake.params.languages
    statistic = settings.get("statistic", "kurtosis")
    columns = ["language", "layer", "neuron", statistic]
    table = pd.concat([read_table(path, columns) for path in snakemake.input.kurtosis])
    values = grid(table, statistic, languages)
    budget = settings.get("budget", {})
    top = budget.get("count") or (round(budget["fraction"] * values[0].size) if budget else None)
    neurons = by_rule(
        normalise(values, settings["normalise"]),
        languages,
        rule=settings["rule"],
        threshold=settings.get("threshold"),
        top=top,
        site=snakemake.params.site,
    )
    write_mask_set(neurons, snakemake.output.neurons, snakemake.output.summary, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
