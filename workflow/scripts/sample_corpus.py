"""Sample documents of one language and tokenise them for one model."""

from typing import Any

from crane.artefacts import read_metadata, write_table
from crane.corpora.chunks import tokenise
from crane.corpora.documents import read_documents
from crane.corpora.sampling import sample, with_surplus
from crane.models.loading import load_tokenizer
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `sample_corpus`."""
    corpus = snakemake.params.corpus
    files = snakemake.params.files
    documents = read_documents(files, snakemake.params.column)
    found = sample(documents, with_surplus(corpus["corpora.documents"]), corpus["corpora.seed"])
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
    # What was downloaded names its source.
    pool = read_metadata(files) if snakemake.input.documents and files.endswith(".parquet") else {}
    origin = {key: pool[key] for key in ("commit", "sha256") if key in pool}
    write_table(frame, snakemake.output.corpus, provenance(snakemake, **origin, **counts))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
