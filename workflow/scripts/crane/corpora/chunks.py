"""From documents to the tokenised samples on which relevance is measured."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from crane.artefacts import ArtefactError
from crane.corpora.documents import CorpusError


def tokenise(
    texts: Sequence[str], tokenizer: Any, max_tokens: int, count: int, language: str
) -> pd.DataFrame:
    """Return `count` samples: sample_id (int64), text_sha256, input_ids (list of int32, cut to `max_tokens`).

    A sample starts with BOS where the tokenizer has one, as every prompt does (`crane.models.loading.load_tokenizer`);
    documents of fewer than two tokens have no next token to predict and are left out.

    Raises:
        CorpusError: fewer than `count` usable documents.
    """
    rows: list[dict[str, Any]] = []
    short = 0
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=max_tokens).input_ids
        if len(ids) < 2:
            short += 1
            continue
        rows.append({"text_sha256": hashlib.sha256(text.encode()).hexdigest(), "input_ids": ids})
        if len(rows) == count:
            break
    if len(rows) < count:
        raise CorpusError(
            f"corpus of {language!r}: {len(rows)} usable documents, {count} are configured "
            f"(corpora.documents), {short} left out as shorter than two tokens; add documents or ask for fewer"
        )
    frame = pd.DataFrame(rows)
    frame.insert(0, "sample_id", range(len(frame)))
    return frame


def shard_rows(total: int, shard: int, shards: int) -> range:
    """Return the rows of one of `shards` nearly equal, consecutive parts."""
    if not 0 <= shard < shards <= total:
        raise ArtefactError(f"{total} samples cannot be cut into {shards} shards (shard {shard} asked for)")
    return range(total * shard // shards, total * (shard + 1) // shards)
