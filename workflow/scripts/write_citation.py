"""Write the citations for the study's results, as BibTeX."""

from pathlib import Path
from typing import Any

import yaml
from crane.artefacts import write_text
from crane.provenance.citation import bibtex
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `write_citation`."""
    citation = yaml.safe_load(Path(snakemake.input.cff).read_text(encoding="utf-8"))
    write_text(bibtex(citation), snakemake.output.bib)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
