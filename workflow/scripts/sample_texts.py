"""Sample texts of one language, cut into samples of tokens for one model."""

from functools import partial
from typing import Any

from crane.artefacts import read_metadata, read_table, write_table
from crane.corpora.chunks import draw_chunks
from crane.corpora.documents import read_documents
from crane.corpora.lengths import length_quantiles
from crane.models.configuration import check_positions, stated_positions
from crane.models.tokenizers import load_tokenizer
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `sample_corpus`, `sample_held_out` or `sample_passages`."""
    wanted, files = snakemake.params.wanted, snakemake.params.files
    model = snakemake.input.model
    check_positions(stated_positions(model), snakemake.wildcards.model, wanted["tokens"], wanted["key"])
    used: set[str] = set()
    for path in snakemake.input.get("used", []):
        used |= {digest for row in read_table(path, ["documents"])["documents"] for digest in row}
    chunks = draw_chunks(
        partial(read_documents, files, snakemake.params.column),
        load_tokenizer(model),
        mode=wanted["sample"],
        tokens=wanted["tokens"],
        count=wanted["count"],
        seed=wanted["seed"],
        language=snakemake.wildcards.lang,
        without=used,
        near_duplicates=wanted.get("near_duplicates"),
    )
    lengths = chunks.frame["input_ids"].map(len)
    counts = {
        "read": chunks.sampled.read,
        "empty": chunks.sampled.empty,
        "duplicate": chunks.sampled.duplicate,
        "near_duplicate": chunks.near_duplicate,
        "short": chunks.short,
        "longer": chunks.longer,
        "special": chunks.special,
        "documents": len(chunks.document_tokens),
        "document_tokens": sum(chunks.document_tokens),
        "document_lengths": length_quantiles(chunks.document_tokens),
        "characters": chunks.characters,
        "samples": len(chunks.frame),
        "tokens": int(lengths.sum()),
        "lengths": length_quantiles(lengths),
    }
    print(f"{len(chunks.frame)} samples, none of the {len(used)} documents that are used elsewhere; {counts}")
    # What was downloaded names its source.
    pool = read_metadata(files) if snakemake.input.documents and files.endswith(".parquet") else {}
    origin = {key: pool[key] for key in ("commit", "sha256") if key in pool}
    write_table(chunks.frame, snakemake.output.texts, provenance(snakemake, **origin, **counts))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
