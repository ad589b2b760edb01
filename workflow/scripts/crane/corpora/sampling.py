"""Mergeable samples of documents: each document's rank is a hash, and the lowest ranks are kept.

Standard library only: the Snakefile imports this module on every node, through the check of the configuration.
"""

import hashlib
import heapq
from collections.abc import Iterable
from typing import NamedTuple

from crane.texts.blank import is_blank


def with_surplus(documents: int) -> int:
    """Return how many documents to sample to obtain a number of usable ones; some are too short."""
    return int(documents * 1.05) + 10


class Sample(NamedTuple):
    """Sampled documents and what was left out."""

    texts: list[str]
    read: int
    empty: int
    duplicate: int
    """Repetitions of sampled documents; repetitions of other documents are not counted."""


def sample(documents: Iterable[str | None], count: int, seed: int) -> Sample:
    """Sample `count` distinct documents (fewer if there are fewer), in one pass and little memory.

    Each document's rank is a hash of the seed and its text, and the lowest ranks are kept: the sample depends neither
    on the order of the files nor on how often a document occurs. Samples can be merged: sampling the samples of all
    parts, with the same `count` and seed, gives the sample of the whole. Memory holds `count` documents.
    """
    kept: list[tuple[int, str]] = []  # a heap of negative ranks: the worst document is first
    repeated: dict[int, int] = {}  # rank of a kept document -> number of repetitions
    read = empty = 0
    for document in documents:
        read += 1
        text = (document or "").strip()
        if is_blank(text):
            empty += 1
            continue
        rank = int.from_bytes(hashlib.blake2b(f"{seed}\x1f{text}".encode(), digest_size=8).digest())
        if rank in repeated:
            repeated[rank] += 1
        elif len(kept) < count:
            heapq.heappush(kept, (-rank, text))
            repeated[rank] = 0
        elif rank < -kept[0][0]:
            worst, _ = heapq.heapreplace(kept, (-rank, text))
            del repeated[-worst]  # if it occurs again, its rank is too high
            repeated[rank] = 0
    texts = [text for _, text in sorted(kept, reverse=True)]
    return Sample(texts, read, empty, sum(repeated.values()))
