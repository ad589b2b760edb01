"""Write a model with one language's neurons masked as a separate checkpoint."""

from typing import Any

from crane.artefacts import read_metadata
from crane.models.errors import ModelError
from crane.models.manifests import identity
from crane.neurons.masked_checkpoint import export_masked
from crane.neurons.neuron_set import NeuronSet
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `export_masked_model`."""
    origin = {
        "masked_from": identity(snakemake.input.model),
        "mask_set": snakemake.wildcards.mask_set,
        "selection": read_metadata(snakemake.input.neurons).get("params", {}),
        "written_by": provenance(snakemake),
    }
    how = snakemake.params.intervention
    if "mean" in how:
        raise ModelError(
            f"mask set {snakemake.wildcards.mask_set!r} sets neurons to their mean value, which no weight can express; "
            "export a set that masks or scales"
        )
    if "resample" in how:
        raise ModelError(
            f"mask set {snakemake.wildcards.mask_set!r} gives neurons values of other documents, which no weight can "
            "express; export a set that masks or scales"
        )
    if how.keys() & {"op", "steer"}:
        raise ModelError(
            f"mask set {snakemake.wildcards.mask_set!r} sets neurons to values or adds to them, which the weights of "
            "this architecture cannot express (it would take a bias); export a set that masks or scales"
        )
    neurons = NeuronSet.read_parquet(snakemake.input.neurons)
    language = snakemake.wildcards.lang
    manifest = export_masked(
        snakemake.input.model, snakemake.output.model, neurons, language, origin, how.get("scale", 0.0)
    )
    print(manifest["masked"])
    for name, digest in manifest["sha256"].items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
