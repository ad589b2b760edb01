"""Write the demo's texts in one language: training documents, identification corpus, benchmark, questions."""

from typing import Any

from crane.artefacts import write_jsonl
from crane.demo.texts import (
    DataSettings,
    benchmark_items,
    identification_documents,
    open_questions,
    training_documents,
)
from crane.demo.world import read_world
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `generate_demo_data`."""
    world = read_world(snakemake.input.templates, snakemake.wildcards.lang)
    settings = DataSettings(**snakemake.params.data)
    write_jsonl(training_documents(world, settings), snakemake.output.training)
    write_jsonl(identification_documents(world, settings), snakemake.output.documents)
    write_jsonl(benchmark_items(world, settings), snakemake.output.benchmark)
    write_jsonl(open_questions(world, settings), snakemake.output.questions)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
