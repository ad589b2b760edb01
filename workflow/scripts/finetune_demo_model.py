"""Train the demo's chat model from its base model, on documents in question form."""

from typing import Any

from crane.artefacts import read_jsonl
from crane.demo.training import ChatSettings, train_chat
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `finetune_demo_model`."""
    documents = [record for path in snakemake.input.training for record in read_jsonl(path)]
    settings = ChatSettings(**snakemake.params.training)
    train_chat(documents, snakemake.input.base, snakemake.output.model, settings, threads=snakemake.threads)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
