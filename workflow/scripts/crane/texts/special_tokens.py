"""Special tokens that a text writes out (`</s>` in a web page): they are its characters, and no control tokens."""

import re
from typing import Any


def special_tokens(tokenizer: Any) -> re.Pattern[str]:
    """Return a pattern that finds a tokenizer's special tokens in a text."""
    added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    tokens = sorted(added | set(tokenizer.all_special_tokens))
    return re.compile("|".join(map(re.escape, tokens)) or "(?!)")


def text_tokens(text: str, tokenizer: Any, *, begin: bool = False, **how: Any) -> list[int]:
    """Return the tokens of a text in which special tokens are ordinary characters.

    Args:
        text: the text.
        tokenizer: of transformers.
        begin: begin as the tokenizer begins texts, with BOS if it has one.
        **how: further arguments of the tokenizer.
    """
    return tokenizer(text, add_special_tokens=begin, split_special_tokens=True, **how).input_ids
