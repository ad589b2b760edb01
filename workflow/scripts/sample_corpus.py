"""Sample documents of one language and tokenise them for one model."""

from typing import Any

from crane.artefacts import write_table
from crane.corpora import read_documents, sample, tokenise
from crane.models import load_tokenizer
from joblog import job_log, provenance

SURPLUS = 1.05
"""Documents sampled beyond the number asked for: some are too short to be used."""


def main(snakemake: Any) -> None:
    """Run the rule `sample_corpus`."""
    corpus = snakemake.params.corpus
    documents = read_documents(snakemake.params.files, snakemake.params.column)
    found = sample(documents, int(corpus["corpora.documents"] * SURPLUS) + 10, corpus["corpora.seed"])
    print(f"{found.read} documents read, {found.empty} empty, {found.duplicate} duplicate", flush=True)
    frame = tokenise(
        found.texts,
        load_tokenizer(snakemake.input.model),
        corpus["corpora.max_tokens"],
        corpus["corpora.documents"],
        snakemake.wildcards.lang,
    )
    tokens = int(frame["input_ids"].map(len).sum())
    print(f"{len(frame)} samples, {tokens} tokens")
    counts = {"read": found.read, "empty": found.empty, "duplicate": found.duplicate, "tokens": tokens}
    write_table(frame, snakemake.output.corpus, provenance(snakemake, **counts))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
