"""Write one table in all its forms: the function that the rule names, on the rule's inputs.

It is not called tabulate.py, because pandas imports a package of that name and this folder is on every script's path.
"""

from pathlib import Path
from typing import Any

from crane.results.arguments import arguments, named, read_facts
from crane.results.lengths import length_warning
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run a rule `tabulate_*`."""
    function = named(snakemake.params.function)
    inputs, wildcards, params = (
        dict(part.items()) for part in (snakemake.input, snakemake.wildcards, snakemake.params)
    )
    differing = inputs.pop("of_unequal_length", [])
    table = function(**arguments(function, inputs, wildcards, params))
    if warning := length_warning(read_facts(differing)):
        table = table._replace(notes=[*table.notes, warning])
    write_forms(table, Path(snakemake.output.csv).stem, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
