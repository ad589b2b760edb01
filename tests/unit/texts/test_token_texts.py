"""Texts of tokens: together they are the text, and no character is torn."""

import pytest
from crane.texts.token_texts import token_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

BYTES = Tokenizer(
    models.BPE({letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
)
BYTES.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
BYTES.decoder = decoders.ByteLevel()


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_byte_tokens_become_whole_characters(text):
    ids = BYTES.encode(text).ids
    texts = token_texts(BYTES.decode, ids)
    assert "".join(texts) == text and len(texts) == len(ids) == len(text.encode())
    assert [one for one in texts if one] == list(text)


def test_bytes_that_are_no_character_are_kept():
    ids = BYTES.encode("é語").ids
    begun = token_texts(BYTES.decode, ids[1:])
    assert "".join(begun) == "\ufffd語", "a sample that begins within a character"
    assert token_texts(BYTES.decode, ids[:-1])[-1] == "\ufffd", "a sample cut within a character"


def test_spaces_stay_with_their_words(tokenizer):
    ids = tokenizer("the dog runs").input_ids
    texts = token_texts(lambda some: tokenizer.decode(some, clean_up_tokenization_spaces=False), ids)
    assert texts[0] == "<s>"
    assert "".join(texts[1:]).strip() == "the dog runs" and " " in "".join(texts[2:])


@pytest.mark.parametrize("ids", [[], [5]])
def test_short_sequences(ids):
    assert len(token_texts(BYTES.decode, ids)) == len(ids)
