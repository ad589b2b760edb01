"""Held-out documents are none that relevance was measured on."""

import hashlib

import pytest
from crane.corpora.chunks import tokenise
from crane.corpora.documents import CorpusError
from crane.corpora.held_out import held_out
from crane.corpora.sampling import sample


def test_held_out_documents_follow_the_sample_and_never_overlap(tokenizer):
    texts = [f"The capital of France is Paris {number}." for number in range(300)]
    texts[40] = "."
    relevance = tokenise(sample(iter(texts), 120, 5).texts, tokenizer, 16, 100, "en")
    used = relevance["text_sha256"].tolist()
    longer = sample(iter(texts), 200, 5).texts
    found = held_out(longer, tokenizer, 8, 60, used, "en")
    assert list(found["sample_id"]) == list(range(60))
    assert found["input_ids"].map(len).max() <= 8
    assert not set(found["text_sha256"]) & set(used)
    order = [hashlib.sha256(text.encode()).hexdigest() for text in longer]
    assert [*used, *found["text_sha256"]] == [sha for sha in order if sha in {*used, *found["text_sha256"]}]
    assert max(map(order.index, used)) < min(map(order.index, found["text_sha256"]))


def test_too_few_documents_name_the_key(tokenizer):
    texts = [f"The capital is Paris {number}." for number in range(30)]
    used = tokenise(texts, tokenizer, 16, 20, "vi")["text_sha256"].tolist()
    with pytest.raises(
        CorpusError, match=r"of 'vi': perplexity\.documents asks for 11 beside the 20.*30 usable"
    ):
        held_out(texts, tokenizer, 16, 11, used, "vi")
