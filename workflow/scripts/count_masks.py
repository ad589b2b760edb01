"""Write how many neurons each mask set takes from each layer, in all forms of a table."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.paper import mask_counts
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `count_masks`."""
    masks = {Path(path).stem: read_table(path) for path in snakemake.input.masks}
    table = mask_counts(
        masks, Labels(**snakemake.params.labels, benchmarks={}, models={}), snakemake.params.layers
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
