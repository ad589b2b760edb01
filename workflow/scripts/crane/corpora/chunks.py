"""From documents to the tokenised samples on which relevance is measured and perplexity is taken."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from crane.artefacts import ArtefactError
from crane.corpora.documents import CorpusError
from crane.corpora.sampling import Sample, sample, with_surplus
from crane.texts.special_tokens import special_tokens, text_tokens

Mode = Literal["window", "pack", "document"]
DEFAULT_MODE: Mode = "window"
SMALLEST_SAMPLE = 2
"""Tokens below which a sample has no next token to predict."""


class Chunks(NamedTuple):
    """Samples of one language, and what was left out on the way."""

    frame: pd.DataFrame
    """sample_id (int64), text_sha256 (of its first document), documents (SHA-256 of all), input_ids (int32)."""
    sampled: Sample
    short: int
    """Documents with too few tokens (`window`, `document`)."""
    special: int
    """Documents cut until there were enough samples that write a special token, which is text in them."""


def text_hash(text: str) -> str:
    """Return the SHA-256 of a document."""
    return hashlib.sha256(text.encode()).hexdigest()


def draw_chunks(
    read: Callable[[], Iterable[str | None]],
    tokenizer: Any,
    *,
    mode: Mode = DEFAULT_MODE,
    tokens: int,
    count: int,
    seed: int,
    language: str,
    without: Collection[str] = (),
) -> Chunks:
    """Sample documents with a seed and cut them into `count` samples (method, section 10).

    A sample begins with BOS where the tokenizer has one, as every prompt does. Documents come in the order of their
    ranks (`crane.corpora.sampling`); they are read again, and more of them kept, where too few are long enough.

    Args:
        read: opens the documents.
        tokenizer: of the model.
        mode: `window`: exactly `tokens` at a random place of each document that has them; `pack`: documents joined by
            the end token and cut into pieces of exactly `tokens`; `document`: each cut to at most `tokens`.
        tokens: of a sample, BOS included.
        count: samples wanted.
        seed: of the sample and of the places.
        language: for messages.
        without: `text_sha256` of documents to leave out.

    Raises:
        CorpusError: the documents do not give that many samples.
    """
    wanted = with_surplus(count + len(without))
    while True:
        sampled = sample(read(), wanted, seed)
        texts = [text for text in sampled.texts if text_hash(text) not in without]
        cutter = _Cutter(tokenizer, tokens, seed)
        rows: list[dict[str, Any]] = []
        for row in getattr(cutter, mode)(texts):
            rows.append(row)
            if len(rows) == count:
                break
        if len(rows) == count:
            frame = pd.DataFrame(rows)
            frame.insert(0, "sample_id", range(count))
            return Chunks(frame, sampled, cutter.short, cutter.special)
        if len(sampled.texts) < wanted:  # there are no more
            raise CorpusError(_too_few(language, mode, tokens, count, len(rows), len(texts), cutter.short))
        wanted *= 2


def _too_few(
    language: str, mode: Mode, tokens: int, count: int, samples: int, documents: int, short: int
) -> str:
    reason = f", {short} of them with too few tokens" if short else ""
    advice = "add documents or ask for fewer samples (corpora.documents, perplexity.documents)"
    if mode == "window":
        advice += ", lower corpora.max_tokens, or set corpora.sample: pack"
    return (
        f"corpus of {language!r}: {documents} documents{reason} give {samples} samples of {tokens} tokens ({mode}), "
        f"{count} are asked for; {advice}"
    )


class _Cutter:
    """Cuts documents into samples; counts those that are too short, and those that write special tokens."""

    def __init__(self, tokenizer: Any, tokens: int, seed: int) -> None:
        self._tokenizer = tokenizer
        self._tokens = tokens
        self._seed = seed
        self._bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        self._specials = special_tokens(tokenizer)
        self.short = self.special = 0

    def document(self, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield each document cut to at most that many tokens."""
        for text in texts:
            ids = self._encoded(text, begin=True, truncation=True, max_length=self._tokens)
            if len(ids) < SMALLEST_SAMPLE:
                self.short += 1
            else:
                yield _row([text_hash(text)], ids)

    def window(self, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield exactly that many tokens at a random place of each document that has them."""
        size = self._tokens - len(self._bos)
        for text in texts:
            ids = self._encoded(text) if len(text.encode()) >= size else []  # a token has a byte at least
            if len(ids) < size:
                self.short += 1
                continue
            place = hashlib.blake2b(f"{self._seed}\x1fplace\x1f{text}".encode(), digest_size=8).digest()
            start = int.from_bytes(place) % (len(ids) - size + 1)
            yield _row([text_hash(text)], self._bos + ids[start : start + size])

    def pack(self, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield pieces of exactly that many tokens of all documents in a row."""
        size = self._tokens - len(self._bos)
        end = self._tokenizer.eos_token_id
        between = self._encoded("\n\n") if end is None else [end]
        ids: list[int] = []
        hashes: list[str] = []
        for text in texts:
            ids += (between if ids else []) + self._encoded(text)
            hashes.append(text_hash(text))
            while len(ids) >= size:
                yield _row(hashes, self._bos + ids[:size])
                ids = ids[size:]
                hashes = hashes[-1:] if ids else []

    def _encoded(self, text: str, **how: Any) -> list[int]:
        self.special += self._specials.search(text) is not None
        return text_tokens(text, self._tokenizer, verbose=False, **how)


def _row(hashes: list[str], ids: list[int]) -> dict[str, Any]:
    return {"text_sha256": hashes[0], "documents": list(hashes), "input_ids": ids}


def shard_rows(total: int, shard: int, shards: int) -> range:
    """Return the rows of one of `shards` nearly equal, consecutive parts."""
    if not 0 <= shard < shards <= total:
        raise ArtefactError(f"{total} samples cannot be cut into {shards} shards (shard {shard} asked for)")
    return range(total * shard // shards, total * (shard + 1) // shards)
