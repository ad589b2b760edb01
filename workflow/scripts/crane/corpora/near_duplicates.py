"""Near-duplicates among documents: MinHash finds candidates, the exact Jaccard index of their n-grams decides.

Bots fill a Wikipedia with articles that differ in a name and a number; such a template counts as many samples, and as
one text. A document is left out if it resembles one that was kept before it, so that what is kept of the first
documents does not depend on how many follow.
"""

from collections.abc import Iterator

import numpy as np
from datasketch import MinHash, MinHashLSH

CHARACTERS = 5
"""Length of the n-grams: of characters, so that scripts without spaces need no words."""
PERMUTATIONS = 128
RECALL = 0.98
"""Least probability that a pair of documents at the threshold becomes a candidate."""
DOUBT = 0.2
"""How far below the threshold an index estimated from the permutations, whose standard error is at most 0.045, must lie
for the exact one not to be computed."""
BATCH = 4096
"""N-grams hashed at a time: bounds memory for long documents to `BATCH` x `PERMUTATIONS` x 4 bytes."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


class NearDuplicates:
    """The documents kept so far, searched for those that resemble another one.

    Memory: the kept texts, and about 7 kB for each of them in the tables of the search.

    Args:
        threshold: Jaccard index of two documents' n-grams from which on they are near-duplicates.
        seed: of the permutations.
    """

    def __init__(self, threshold: float, seed: int) -> None:
        self._threshold = threshold
        self._seed = seed
        self._index = MinHashLSH(num_perm=PERMUTATIONS, params=bands(threshold))
        self._texts: list[str] = []
        self._signatures: list[np.ndarray] = []

    def keep(self, text: str) -> bool:
        """Return whether a document resembles none of those kept so far; it is then kept itself."""
        grams = ngrams(text)
        signature = self._signature(grams)
        if any(self._resembles(grams, signature, one) for one in self._index.query(signature)):
            return False
        self._insert(text, signature)
        return True

    def add(self, text: str) -> None:
        """Keep a document whatever it resembles."""
        self._insert(text, self._signature(ngrams(text)))

    def _insert(self, text: str, signature: MinHash) -> None:
        self._index.insert(len(self._texts), signature)
        self._texts.append(text)
        self._signatures.append(signature.hashvalues)

    def _resembles(self, grams: np.ndarray, signature: MinHash, other: int) -> bool:
        estimate = np.mean(signature.hashvalues == self._signatures[other])
        if estimate < self._threshold - DOUBT:
            return False
        return jaccard(grams, ngrams(self._texts[other])) >= self._threshold

    def _signature(self, grams: np.ndarray) -> MinHash:
        signature = MinHash(PERMUTATIONS, seed=self._seed, hashfunc=int, scheme="affine32")
        for batch in _batches(grams & np.uint64(0xFFFFFFFF)):
            signature.update_batch(batch.tolist())
        return signature


def _batches(grams: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(grams), BATCH):
        yield grams[start : start + BATCH]


def bands(threshold: float) -> tuple[int, int]:
    """Return the bands and their rows: the longest rows that find a pair at the threshold with `RECALL`.

    A pair of Jaccard index J is found with probability 1 - (1 - J^rows)^bands (Leskovec, Rajaraman & Ullman, Mining of
    Massive Datasets, section 3.4.2).
    """
    for rows in range(PERMUTATIONS // 2, 1, -1):
        count = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** count >= RECALL:
            return count, rows
    return PERMUTATIONS, 1


def ngrams(text: str) -> np.ndarray:
    """Return the hashes (distinct, ascending, uint64) of a text's n-grams of characters.

    Case and the kind and length of white space do not count. A text of fewer characters has one n-gram.
    """
    characters = np.frombuffer(" ".join(text.lower().split()).encode("utf-32-le"), np.uint32)
    characters = np.pad(characters, (0, max(0, CHARACTERS - len(characters)))).astype(np.uint64)
    size = len(characters) - CHARACTERS + 1
    hashes = np.zeros(size, np.uint64)
    for place in range(CHARACTERS):
        hashes = hashes * _MIX + characters[place : place + size]
    return np.unique(hashes ^ (hashes >> np.uint64(32)))


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Jaccard index of two sets of `ngrams`."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)
