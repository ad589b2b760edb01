"""The text of each token of a sequence, such that together they are the text of the sequence."""

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"
"""What decoders return for bytes that are no complete character."""
_LONGEST = 4
"""Bytes of a character in UTF-8, and so tokens, at most."""


def token_texts(decode: Callable[[Sequence[int]], str], ids: Sequence[int]) -> list[str]:
    """Return the text of each token; of a character that several tokens make up, the last of them has it.

    A token is decoded behind the ones before it, because decoders treat the beginning of a text in their own way
    (SentencePiece drops the space there).

    Args:
        decode: from ids to text, special tokens included.
        ids: of the T tokens.

    Returns:
        T strings; "" where a token's bytes are only a part of a character.
    """
    texts = [""] * len(ids)
    context = begin = 0
    for end in range(1, len(ids) + 1):
        before, now = decode(ids[context:begin]), decode(ids[context:end])
        if now.endswith(REPLACEMENT) and end - begin < _LONGEST and end < len(ids):
            continue
        texts[end - 1] = now[len(before) :] if now.startswith(before) else decode(ids[begin:end])
        context, begin = begin, end
    return texts
