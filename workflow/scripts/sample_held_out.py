"""Sample documents of one language that the relevance sample does not hold, and tokenise them for one model."""

from typing import Any

from crane.artefacts import read_table, write_table
from crane.corpora.documents import read_documents
from crane.corpora.held_out import held_out
from crane.corpora.sampling import sample, with_surplus
from crane.models.loading import load_tokenizer
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `sample_held_out`."""
    used = read_table(snakemake.input.corpus, ["text_sha256"])["text_sha256"].tolist()
    count = snakemake.params.held_out["perplexity.documents"]
    documents = read_documents(snakemake.params.files, snakemake.params.column)
    found = sample(documents, with_surplus(len(used) + count), snakemake.params.seed)
    frame = held_out(
        found.texts,
        load_tokenizer(snakemake.input.model),
        snakemake.params.held_out["perplexity.max_tokens"],
        count,
        used,
        snakemake.wildcards.lang,
    )
    tokens = int(frame["input_ids"].map(len).sum())
    print(f"{len(frame)} documents, {tokens} tokens, none of the {len(used)} of the relevance sample")
    write_table(frame, snakemake.output.documents, provenance(snakemake, tokens=tokens))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
