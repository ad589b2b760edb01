"""Accumulators on disk: layers read back, and damage is noticed."""

import pytest
import torch
from crane.artefacts import ArtefactError
from crane.relevance.accumulated_files import read_accumulated, write_accumulated
from crane.relevance.accumulators import Accumulated

K, J, I = 3, 6, 5  # noqa: E741


@pytest.fixture
def written():
    generator = torch.Generator().manual_seed(0)
    grids = {
        "energy_sum": torch.rand(K, I, generator=generator, dtype=torch.float64),
        "energy_worst_rank": torch.randint(0, I, (K, I), generator=generator, dtype=torch.int32),
        "energy_top_count": torch.randint(0, 9, (K, J, I), generator=generator, dtype=torch.int32),
    }
    return Accumulated(grids, samples=9, tokens=90, counted=81)


@pytest.fixture
def path(tmp_path, written):
    path = tmp_path / "0.accumulators.safetensors"
    write_accumulated(written, path, {"language": "en"})
    return path


def test_a_layer_reads_back_bit_by_bit(path, written):
    for layer in range(K):
        read = read_accumulated(path, layer)
        assert read[1:] == written[1:] and read.grids.keys() == written.grids.keys()
        assert all(torch.equal(grid, written.grids[name][layer]) for name, grid in read.grids.items())


def test_equal_accumulators_give_equal_files(path, written, tmp_path):
    write_accumulated(written, tmp_path / "again", {"language": "en"})
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ArtefactError, match=r"0\.accumulators.*delete it and run again"):
        read_accumulated(path, 0)


def test_an_altered_value_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the last value of the last layer
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="layer 2 does not match its checksum"):
        for layer in range(K):
            read_accumulated(path, layer)
    with pytest.raises(ArtefactError, match="delete it and run again"):
        read_accumulated(path, K)
