"""Sample texts of one language, cut into samples of tokens for one model."""

from functools import partial
from typing import Any

import numpy as np
from crane.artefacts import read_metadata, read_table, write_table
from crane.corpora.chunks import draw_chunks
from crane.corpora.documents import read_documents
from crane.models.configuration import check_positions, positions_of
from crane.models.tokenizers import load_tokenizer
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `sample_corpus`, `sample_held_out` or `sample_passages`."""
    wanted, files = snakemake.params.wanted, snakemake.params.files
    model = snakemake.input.model
    check_positions(positions_of(model), snakemake.wildcards.model, wanted["tokens"], wanted["key"])
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
    )
    lengths = chunks.frame["input_ids"].map(len)
    counts = {
        "read": chunks.sampled.read,
        "empty": chunks.sampled.empty,
        "duplicate": chunks.sampled.duplicate,
        "short": chunks.short,
        "special": chunks.special,
        "tokens": int(lengths.sum()),
        "lengths": np.quantile(lengths, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist(),
    }
    print(f"{len(chunks.frame)} samples, none of the {len(used)} documents that are used elsewhere; {counts}")
    # What was downloaded names its source.
    pool = read_metadata(files) if snakemake.input.documents and files.endswith(".parquet") else {}
    origin = {key: pool[key] for key in ("commit", "sha256") if key in pool}
    write_table(chunks.frame, snakemake.output.texts, provenance(snakemake, **origin, **counts))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
