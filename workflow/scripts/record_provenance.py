"""Write the study's provenance: models, versions, code, configuration, and the hash of every file."""

from pathlib import Path
from typing import Any

from crane.artefacts import write_json, write_text
from crane.provenance.record import study_record
from crane.tables.provenance import provenance_table
from crane.tables.rendering import render
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `record_provenance`."""
    models = list(map(str, snakemake.input.models))
    files = [path for path in map(str, snakemake.input) if path not in models]
    name = Path(snakemake.output.record).parts[1]
    record = study_record(name, snakemake.params.settings, models, files, snakemake.params.code_of_lines)
    table = provenance_table(record)
    print(table.tidy.to_string())
    write_json(record, snakemake.output.record)
    write_text(render(table, "provenance", "html"), snakemake.output.overview)
    for path in filter(Path.exists, map(Path, snakemake.params.receipts)):
        path.touch()


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
