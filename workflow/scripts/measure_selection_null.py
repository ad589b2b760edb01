"""Count what every rule selects from pseudo-languages, the dealt shards of one language, and from real languages."""

from pathlib import Path
from typing import Any

from crane.artefacts import write_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.selection_null import group_table, selection_null
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `measure_selection_null`."""
    params, languages = snakemake.params, snakemake.params.languages
    masks = {Path(path).stem: NeuronSet.read_parquet(path) for path in snakemake.input.matched}
    counts = {
        name: {language: masks[match].total(language) for language in languages}
        for name, match in params.matched.items()
    }
    shards = {
        group: {language: snakemake.input[f"{language}.{group}"] for language in languages}
        for group in params.groups
    }
    table = group_table(
        shards, params.selections, layers=params.layers, site=params.site, least=params.routed_samples
    )
    measured = selection_null(table, params.selections, languages, site=params.site, counts=counts)
    print(measured.to_string())
    write_table(measured, snakemake.output.null, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
