"""Record the values of all neurons at every position of seeded documents of the corpora."""

from pathlib import Path
from typing import Any

import torch
from crane.artefacts import read_table
from crane.models.loading import load_model
from crane.models.manifests import identity
from crane.neurons.donor_values import draw_donors, record_values, write_values
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `record_donor_values`."""
    torch.set_num_threads(snakemake.threads)
    seed = int(snakemake.wildcards.seed)
    corpora = {
        Path(path).stem: read_table(path, ["input_ids"])["input_ids"] for path in snakemake.input.corpora
    }
    donors = draw_donors(corpora, seed)
    model = load_model(snakemake.input.model, snakemake.params.dtype)
    values = record_values(model, snakemake.params.site, donors, seed)
    print(f"{len(donors)} documents; positions, layers, neurons: {tuple(values.shape)}, {values.dtype}")
    about = provenance(snakemake, model=identity(snakemake.input.model), documents=len(donors))
    write_values(values, snakemake.output.values, about)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
