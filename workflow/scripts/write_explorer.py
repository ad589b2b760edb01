"""Write the explorer page of a study."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_table, write_text
from crane.explorer.data import Chosen
from crane.explorer.page import render
from crane.explorer.page_data import page_data
from crane.neurons.neuron_set import NeuronSet
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `write_explorer`."""
    params, source = snakemake.params, snakemake.input
    masks = {Path(path).stem: NeuronSet.read_parquet(path) for path in source.masks}
    study = provenance(snakemake)["study"]
    data = page_data(
        {"study": study, "model": params.model},
        params.languages,
        [
            Chosen(name, label, masks[name], settings, name in params.measured)
            for name, label, settings in params.mask_sets
        ],
        [read_table(path) for path in source.kurtosis],
        halves={Path(path).stem: read_table(path) for path in source.halves},
        examples=read_table(source.examples[0]),
        texts=read_table(source.texts[0]),
        effects=read_table(source.effects[0]) if source.effects else None,
        site=params.site,
        most=params.explorer["neurons"],
        tokens=params.explorer["tokens"],
    )
    page = render(f"Neurons of {study}", data)
    write_text(page, snakemake.output.page)
    print(f"{len(data['neurons']['layer'])} neurons, {len(data['texts'])} texts, {len(page) / 1e6:.2f} MB")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
