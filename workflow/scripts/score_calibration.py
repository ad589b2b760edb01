"""Correlate statistics and the orders of mask sets with the measured effects of random neurons and groups."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table, write_table
from crane.scores.calibration import calibrate
from crane.selection.criteria import STATISTICS, order_columns, orders, statistics
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_calibration`."""
    params, languages = snakemake.params, snakemake.params.languages
    tables = {}
    for name, paths in snakemake.input.items():
        if not name.startswith("kurtosis"):
            continue
        variant = name.removeprefix("kurtosis").removeprefix("-")
        needed = {
            set_name: settings
            for set_name, settings in params.selections.items()
            if settings.get("relevance", "") == variant
        }
        read = {*order_columns(needed), *([] if variant else STATISTICS.values())}
        frames = [read_table(path) for path in paths]
        tables[variant] = pd.concat([frame[sorted(read & set(frame.columns))] for frame in frames])
    criteria = [
        *statistics(tables[""], languages), *orders(tables, params.selections, languages, params.site)
    ]  # fmt: skip
    settings = {key.removeprefix("scores."): value for key, value in params.scores.items()}
    named = {criterion.name: criterion for criterion in criteria}
    measured = calibrate(
        read_table(snakemake.input.effects),
        {name: criterion.scores for name, criterion in named.items()},
        languages,
        **settings,
    )
    sets = {name: ",".join(criterion.mask_sets) for name, criterion in named.items()}
    measured.insert(3, "mask_sets", measured["criterion"].map(sets))
    print(measured.to_string())
    write_table(measured, snakemake.output.calibration, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
