"""From documents to the tokenised samples on which relevance is measured and perplexity is taken."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import pandas as pd

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
    near_duplicate: int
    """Documents left out because they resemble one that was cut before, or one of `without`."""
    short: int
    """Documents with too few tokens (`window`, `document`)."""
    longer: int
    """Documents with more tokens than a sample, of which the rest is not read (`window`, `document`)."""
    special: int
    """Documents cut until there were enough samples that write a special token, which is text in them."""
    document_tokens: list[int]
    """Tokens of each document that was cut or too short, BOS not counted."""
    characters: int
    """Characters of these documents."""


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
    near_duplicates: float | None = None,
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
        near_duplicates: Jaccard index from which on a document that resembles an earlier one, or one of `without`, is
            left out (`crane.corpora.near_duplicates`); None: only equal documents are.

    Raises:
        CorpusError: the documents do not give that many samples.
    """
    wanted = with_surplus(count + len(without))
    distinct = None if near_duplicates is None else _Distinct(near_duplicates, seed, without)
    while True:
        documents = read() if distinct is None else distinct.noting(read())
        sampled = sample(documents, wanted, seed)
        texts = [text for text in sampled.texts if text_hash(text) not in without]
        cutter = _Cutter(tokenizer, tokens, seed)
        rows: list[dict[str, Any]] = []
        for row in getattr(cutter, mode)(texts if distinct is None else distinct.kept(texts)):
            rows.append(row)
            if len(rows) == count:
                break
        repeated = 0 if distinct is None else distinct.left_out
        if len(rows) == count:
            frame = pd.DataFrame(rows)
            frame.insert(0, "sample_id", range(count))
            return Chunks(
                frame, sampled, repeated, cutter.short, cutter.longer, cutter.special, cutter.lengths,
                cutter.characters,
            )  # fmt: skip
        if len(sampled.texts) < wanted:  # there are no more
            raise CorpusError(
                _too_few(language, mode, tokens, count, len(rows), len(texts), cutter.short, repeated)
            )
        wanted *= 2


class _Distinct:
    """The documents of `draw_chunks` without near-duplicates; a verdict is given once, however often they are read."""

    def __init__(self, threshold: float, seed: int, without: Collection[str]) -> None:
        # Importing datasketch takes as long as sampling a small corpus, and only this looks for near-duplicates.
        from crane.corpora.near_duplicates import NearDuplicates

        self._known = NearDuplicates(threshold, seed)
        self._missing = set(without)
        self._verdicts: dict[str, bool] = {}
        self.left_out = 0

    def noting(self, documents: Iterable[str | None]) -> Iterator[str | None]:
        """Yield the documents, and keep in mind those that are used elsewhere."""
        for document in documents:
            if self._missing and document is not None:
                text = document.strip()
                if (digest := text_hash(text)) in self._missing:
                    self._missing.remove(digest)
                    self._known.add(text)
            yield document

    def kept(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield the texts that resemble none before; `left_out` counts the others up to where reading stops."""
        self.left_out = 0
        for text in texts:
            digest = text_hash(text)
            if digest not in self._verdicts:
                self._verdicts[digest] = self._known.keep(text)
            if self._verdicts[digest]:
                yield text
            else:
                self.left_out += 1


def _too_few(
    language: str,
    mode: Mode,
    tokens: int,
    count: int,
    samples: int,
    documents: int,
    short: int,
    repeated: int,
) -> str:
    reason = f", {short} of them with too few tokens" if short else ""
    reason += f", {repeated} of them near-duplicates of others" if repeated else ""
    advice = "add documents or ask for fewer samples (corpora.documents, perplexity.documents)"
    if mode == "window":
        advice += ", lower corpora.max_tokens, or set corpora.sample: pack"
    if repeated:
        advice += "; a higher corpora.near_duplicates keeps more of them"
    return (
        f"corpus of {language!r}: {documents} documents{reason} give {samples} samples of {tokens} tokens ({mode}), "
        f"{count} are asked for; {advice}"
    )


class _Cutter:
    """Cuts documents into samples; counts those that are too short, too long, and that write special tokens."""

    def __init__(self, tokenizer: Any, tokens: int, seed: int) -> None:
        self._tokenizer = tokenizer
        self._tokens = tokens
        self._seed = seed
        self._bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        self._specials = special_tokens(tokenizer)
        self.short = self.longer = self.special = self.characters = 0
        self.lengths: list[int] = []

    def document(self, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield each document cut to at most that many tokens."""
        for text in texts:
            ids = self._encoded(text, begin=True, truncation=True, max_length=self._tokens)
            reached = len(ids) == self._tokens
            length = (
                len(text_tokens(text, self._tokenizer, verbose=False))
                if reached
                else len(ids) - len(self._bos)
            )
            self._note(text, length)
            self.longer += length > self._tokens - len(self._bos)
            if len(ids) < SMALLEST_SAMPLE:
                self.short += 1
            else:
                yield _row([text_hash(text)], ids)

    def window(self, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield exactly that many tokens at a random place of each document that has them."""
        size = self._tokens - len(self._bos)
        for text in texts:
            ids = self._encoded(text)
            self._note(text, len(ids))
            self.longer += len(ids) > size
            if len(ids) < size:
                self.short += 1
                continue
            place = hashlib.blake2b(f"{self._seed}\x1fplace\x1f{text}".encode(), digest_size=8).digest()
            start = int.from_bytes(place) % (len(ids) - size + 1)
            yield _row([text_hash(text)], self._bos + ids[start : start + size])

    def pack(self, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield pieces of exactly that many tokens of all documents in a row."""
        size = self._tokens - len(self._bos)
        end = self._tokenizer.eos_token_id
        between = self._encoded("\n\n") if end is None else [end]
        ids: list[int] = []
        hashes: list[str] = []
        for text in texts:
            added = self._encoded(text)
            self._note(text, len(added))
            ids += (between if ids else []) + added
            hashes.append(text_hash(text))
            while len(ids) >= size:
                yield _row(hashes, self._bos + ids[:size])
                ids = ids[size:]
                hashes = hashes[-1:] if ids else []

    def _note(self, text: str, tokens: int) -> None:
        self.lengths.append(tokens)
        self.characters += len(text)

    def _encoded(self, text: str, **how: Any) -> list[int]:
        self.special += self._specials.search(text) is not None
        return text_tokens(text, self._tokenizer, verbose=False, **how)


def _row(hashes: list[str], ids: list[int]) -> dict[str, Any]:
    return {"text_sha256": hashes[0], "documents": list(hashes), "input_ids": ids}
