"""The samples of a language in shards."""

import pytest
from crane.artefacts import ArtefactError
from crane.corpora.shards import shard_rows
from hypothesis import given
from hypothesis import strategies as st


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
