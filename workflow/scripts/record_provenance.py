"""Write what the study's results rest on: models, versions, code, configuration, and the hash of every file."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import write_json, write_text
from crane.provenance.record import facts, study_record
from crane.tables.rendering import Table, render
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `record_provenance`."""
    models = list(map(str, snakemake.input.models))
    files = [path for path in map(str, snakemake.input) if path not in models]
    name = Path(snakemake.output.record).parts[1]
    record = study_record(name, snakemake.params.settings, models, files, snakemake.params.code_of_lines)
    rows = pd.DataFrame(facts(record), columns=["Subject", "Name", "Value"])
    print(rows.to_string())
    cells = rows.set_axis(pd.MultiIndex.from_product([[""], rows.columns]), axis=1)
    notes = [
        "Read from the results; several values in a row: results of different versions stand beside each other."
    ]
    table = Table("provenance", f"What the results of the study {name} were made with.", rows, cells, notes)
    write_json(record, snakemake.output.record)
    write_text(render(table, "html"), snakemake.output.overview)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
