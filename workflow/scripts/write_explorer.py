"""Write the explorer page of a study."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_table, write_text
from crane.explorer.charts import bin_width, charts
from crane.explorer.data import Chosen, choices, effects_of, members, plain, ranks, statistics_of
from crane.explorer.examples import example_data
from crane.explorer.page import render
from crane.explorer.shown import distinct, shown_neurons
from crane.neurons.neuron_set import NeuronSet
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `write_explorer`."""
    params, source = snakemake.params, snakemake.input
    languages: dict[str, str] = params.languages
    masks = {Path(path).stem: NeuronSet.read_parquet(path) for path in source.masks}
    sets = [
        Chosen(name, label, masks[name], settings, name in params.measured)
        for name, label, settings in params.mask_sets
    ]
    tables = [read_table(path) for path in source.kurtosis]
    layers, width = len(tables), int(tables[0]["neuron"].max()) + 1
    shown = shown_neurons(masks, params.explorer["neurons"])
    pairs = distinct(shown)
    numbers = {pair: number for number, pair in enumerate(pairs)}
    statistics = statistics_of(tables, pairs, list(languages))
    halves = {Path(path).stem: read_table(path) for path in source.halves}
    examples, texts = example_data(
        read_table(source.examples[0]), read_table(source.texts[0]), numbers, params.explorer["tokens"]
    )
    effects = read_table(source.effects[0]) if source.effects else None
    study = provenance(snakemake)["study"]
    data = {
        "study": study, "model": params.model, "site": params.site, "layers": layers, "width": width,
        "bin": bin_width(width), "most": params.explorer["neurons"],
        "languages": [{"code": code, "name": name} for code, name in languages.items()],
        "sets": [
            {"label": one.label, "method": one.settings["method"], "members": members(one.neurons, width)}
            for one in sets
        ],
        "neurons": {"layer": [k for k, _ in pairs], "number": [i for _, i in pairs]},
        "statistics": {
            code: {name: plain(values) for name, values in own.items()} for code, own in statistics.items()
        },
        "rows": choices(shown, sets, statistics, numbers, halves, params.site),
        "ranks": ranks(sets, tables, pairs, list(languages), params.site),
        "effects": effects_of(effects, numbers),
        "examples": examples, "texts": texts,
        "charts": charts(list(languages.values()), layers, width),
    }  # fmt: skip
    page = render(f"Neurons of {study}", data)
    write_text(page, snakemake.output.page)
    print(f"{len(pairs)} neurons, {len(texts)} texts, {len(page) / 1e6:.2f} MB")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
