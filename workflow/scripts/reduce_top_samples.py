"""Merge the top samples of all shards of all languages into one table per layer."""

from typing import Any

from crane.artefacts import write_table
from crane.relevance.top_samples import layer_table, merge_top_samples
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `reduce_top_samples`."""
    for layer, path in enumerate(snakemake.output.tables):
        merged = {
            language: merge_top_samples(snakemake.input[language], layer)
            for language in snakemake.params.languages
        }
        write_table(layer_table(merged, layer), path, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
