"""Import masks from a file: LAPE's published `.pth`, or a mask set of this workflow."""

from typing import Any

from crane.neurons.imported import import_masks
from crane.selection.summary import write_mask_set
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `import_neurons`."""
    neurons = import_masks(
        snakemake.input.file,
        snakemake.params.selection.get("languages"),
        snakemake.params.languages,
        **snakemake.params.shape,
    )
    write_mask_set(neurons, snakemake.output.neurons, snakemake.output.summary, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
