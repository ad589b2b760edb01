"""Train the demo's base model, tokenizer included, on the generated documents of all languages."""

from typing import Any

from crane.artefacts import read_jsonl
from crane.demo.training import BaseSettings, train_base
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `train_demo_model`."""
    documents = [record for path in snakemake.input.training for record in read_jsonl(path)]
    train_base(
        documents,
        snakemake.output.model,
        BaseSettings(**snakemake.params.training),
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
