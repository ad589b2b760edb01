"""Documents as samples of tokens, and the samples in shards."""

import pytest
from crane.artefacts import ArtefactError
from crane.corpora.chunks import shard_rows, tokenise
from crane.corpora.documents import CorpusError
from hypothesis import given
from hypothesis import strategies as st

TEXTS = ["Paris is in France.", "Hà Nội ở Việt Nam.", "北京在中国。", "The yen is used in Japan."]


def test_samples_start_with_bos_and_are_cut(tokenizer):
    frame = tokenise(TEXTS, tokenizer, 6, 3, "en")
    assert list(frame) == ["sample_id", "text_sha256", "input_ids"]
    assert frame["sample_id"].tolist() == [0, 1, 2]
    for text, ids in zip(TEXTS, frame["input_ids"], strict=False):
        assert ids == tokenizer(text).input_ids[:6]
        assert ids[0] == tokenizer.bos_token_id
        assert 2 <= len(ids) <= 6
    assert frame["text_sha256"].nunique() == 3


def test_too_few_documents_say_how_many(tokenizer):
    with pytest.raises(
        CorpusError,
        match=r"'vi': 4 usable documents, 6 are configured \(corpora\.documents\), "
        "3 left out as shorter than two tokens",
    ):
        tokenise(["", *TEXTS, "", ""], tokenizer, 8, 6, "vi")


@given(total=st.integers(1, 200), shards=st.integers(1, 20))
def test_shards_partition_the_rows(total, shards):
    if shards > total:
        with pytest.raises(ArtefactError, match=f"{total} samples cannot be cut into {shards} shards"):
            shard_rows(total, 0, shards)
        return
    parts = [shard_rows(total, shard, shards) for shard in range(shards)]
    assert [row for part in parts for row in part] == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("shard", [-1, 3])
def test_a_shard_that_does_not_exist_is_refused(shard):
    with pytest.raises(ArtefactError, match="3 shards"):
        shard_rows(10, shard, 3)
