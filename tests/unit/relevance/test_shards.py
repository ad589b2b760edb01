"""Shards of relevance statistics: the merge is exact, and damage is noticed."""

import numpy as np
import pytest
import torch
from crane.artefacts import ArtefactError
from crane.relevance.moments import Moments
from crane.relevance.shards import Statistics, merge_layer, read_header, read_layer, write_shard

K, I = 3, 5  # noqa: E741


def statistics(x, seed=0):
    active = torch.randint(0, 100, (K, I), generator=torch.Generator().manual_seed(seed))
    sums = torch.randn(K, I, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Statistics(Moments.from_batch(x), active, 1000 + seed, sums, counted=900 + seed)


@pytest.fixture
def samples():
    return torch.randn(60, K, I, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 3


@pytest.fixture
def shard(tmp_path, samples):
    path = tmp_path / "en.0.safetensors"
    write_shard(statistics(samples), path, {"language": "en", "samples": [0, 60]})
    return path


def test_a_layer_reads_back_bit_by_bit(shard, samples):
    written = statistics(samples)
    for layer in range(K):
        read = read_layer(shard, layer)
        assert (read.moments.n, read.tokens, read.counted) == (60, 1000, 900)
        assert torch.equal(read.active, written.active[layer])
        assert torch.equal(read.value_sum, written.value_sum[layer])
        for name in Moments._fields[1:]:
            assert torch.equal(getattr(read.moments, name), getattr(written.moments, name)[layer]), name


def test_the_header_carries_provenance(shard):
    header = read_header(shard)
    assert (header["language"], header["samples"], header["n"], header["tokens"]) == ("en", [0, 60], 60, 1000)
    assert len(header["sha256"]) == K


def test_merged_shards_equal_all_samples_at_once(tmp_path, samples):
    parts = [statistics(part, seed) for seed, part in enumerate(samples.split([10, 1, 49]))]
    paths = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for part, path in zip(parts, paths, strict=True):
        write_shard(part, path, {})
    whole = Moments.from_batch(samples)
    for layer in range(K):
        merged = merge_layer(paths, layer)
        assert merged.moments.n == 60
        assert merged.tokens == sum(part.tokens for part in parts)
        assert merged.counted == sum(part.counted for part in parts)
        assert torch.equal(merged.active, sum(part.active[layer] for part in parts))
        assert torch.equal(merged.value_sum, sum(part.value_sum[layer] for part in parts))
        np.testing.assert_allclose(merged.moments.kurtosis(), whole.kurtosis()[layer], rtol=1e-12)
        np.testing.assert_allclose(merged.moments.variance(), whole.variance()[layer], rtol=1e-12)
        np.testing.assert_allclose(merged.moments.mean_abs, whole.mean_abs[layer], rtol=1e-12)
        backwards = merge_layer(paths[::-1], layer)
        np.testing.assert_allclose(backwards.moments.kurtosis(), merged.moments.kurtosis(), rtol=1e-12)


def test_equal_statistics_give_equal_files(tmp_path, samples):
    for name in ("a", "b"):
        write_shard(statistics(samples), tmp_path / name, {"z": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("length", [0, 5, 100, -1, -200])
def test_a_truncated_shard_is_refused(shard, length):
    shard.write_bytes(shard.read_bytes()[:length])
    with pytest.raises(ArtefactError, match=r"en\.0\.safetensors.*delete it and run again"):
        read_layer(shard, 0)
    with pytest.raises(ArtefactError, match=r"en\.0\.safetensors"):
        read_header(shard)


def test_every_altered_byte_of_the_data_is_noticed_in_its_layer(shard):
    content = shard.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    noticed = dict.fromkeys(range(K), 0)
    for at in range(start, len(content), 3):  # every number is hit, and every third byte is enough
        shard.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        bad = []
        for layer in range(K):
            try:
                read_layer(shard, layer)
            except ArtefactError as error:
                assert "checksum" in str(error)
                assert str(shard) in str(error)
                bad.append(layer)
        assert len(bad) == 1
        noticed[bad[0]] += 1
    assert sum(noticed.values()) == -(-9 * K * I * 8 // 3)  # 9 grids of K x I numbers of 8 bytes
    assert min(noticed.values()) > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'\\"n\\": 60', b'\\"n\\": 61'),
        (b'\\"tokens\\": 1000', b'\\"tokens\\": 2000'),
        (b'\\"counted\\": 900', b'\\"counted\\": 800'),
        (b'\\"n\\": 60', b'\\"n\\": {0'),
    ],
)
def test_an_altered_header_is_noticed(shard, old, new):
    content = shard.read_bytes()
    assert content.count(old) == 1
    shard.write_bytes(content.replace(old, new))
    with pytest.raises(ArtefactError, match=r"en\.0\.safetensors.*delete it and run again"):
        read_layer(shard, 0)


def test_a_missing_layer_file_or_tensor_is_refused(shard, tmp_path):
    with pytest.raises(ArtefactError, match=rf"{shard.name}: holds 3 layers, layer 3"):
        read_layer(shard, K)
    with pytest.raises(ArtefactError, match="nowhere"):
        read_layer(tmp_path / "nowhere.safetensors", 0)
    from safetensors.torch import save_file

    save_file({"mean": torch.zeros(K, I)}, tmp_path / "other.safetensors")
    with pytest.raises(ArtefactError, match=r"other\.safetensors"):
        read_layer(tmp_path / "other.safetensors", 0)


def test_a_failed_write_leaves_nothing(tmp_path, samples):
    with pytest.raises(TypeError):
        write_shard(statistics(samples), tmp_path / "en.safetensors", {"unserialisable": object()})
    broken = statistics(samples)._replace(active=torch.zeros(K, I).to_sparse())
    with pytest.raises((ValueError, RuntimeError, TypeError, NotImplementedError)):
        write_shard(broken, tmp_path / "en.safetensors", {})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(shard, samples):
    before = shard.read_bytes()
    with pytest.raises(TypeError):
        write_shard(statistics(samples), shard, {"unserialisable": object()})
    assert shard.read_bytes() == before
    assert [p.name for p in shard.parent.iterdir()] == [shard.name]
