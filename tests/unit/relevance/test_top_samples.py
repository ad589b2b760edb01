"""Samples of largest relevance: against a sort of all samples, whatever the batches and shards."""

import numpy as np
import pytest
import torch
from crane.artefacts import ArtefactError
from crane.relevance.top_samples import (
    NO_SAMPLE,
    TopSamples,
    layer_table,
    merge_top_samples,
    read_top_samples,
    write_top_samples,
)
from hypothesis import given
from hypothesis import strategies as st

SHAPE = (2, 5)


def drawn(samples: int, seed: int = 0) -> torch.Tensor:
    """Relevances among few values, so that there are many ties, of either sign and zeros."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-3, 4, (samples, *SHAPE), generator=generator).float() / 8


def brute_force(relevance: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers and values by sorting the samples of each neuron."""
    numbers = np.full((k, *SHAPE), NO_SAMPLE)
    values = np.zeros((k, *SHAPE), np.float32)
    for neuron in np.ndindex(*SHAPE):
        column = relevance[(slice(None), *neuron)].tolist()
        order = sorted(range(len(column)), key=lambda number: (-abs(column[number]), number))[:k]
        numbers[(slice(len(order)), *neuron)] = order
        values[(slice(len(order)), *neuron)] = [column[number] for number in order]
    return numbers, values


@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    k=st.integers(1, 4),
    seed=st.integers(0, 1000),
    shuffled=st.randoms(use_true_random=False),
)
def test_any_order_of_batches_gives_the_sorted_samples(sizes, k, seed, shuffled):
    relevance = drawn(sum(sizes), seed)
    order = list(range(sum(sizes)))
    shuffled.shuffle(order)
    total = None
    for size in sizes:
        numbers, order = order[:size], order[size:]
        found = TopSamples.from_batch(relevance[numbers], numbers, k)
        total = found if total is None else total.merge(found)
    numbers, values = brute_force(relevance, k)
    np.testing.assert_array_equal(total.numbers, numbers)
    np.testing.assert_array_equal(total.relevance, values)


def test_tiny_and_large_relevances_are_told_apart():
    values = torch.tensor([1e-40, -1.5, 1.5000001, -3e38, 0.0, -0.0])
    found = TopSamples.from_batch(values[:, None], range(6), 6)
    assert found.numbers[:, 0].tolist() == [3, 2, 1, 0, 4, 5]
    assert torch.equal(found.relevance[:, 0], values[[3, 2, 1, 0, 4, 5]])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "en.0.safetensors"
    write_top_samples(TopSamples.from_batch(drawn(9), range(9), 3), path, {"language": "en"})
    return path


def test_files_of_shards_merge_to_all_samples(tmp_path):
    relevance = drawn(20, 3)
    paths = []
    for shard, numbers in enumerate([range(2), range(2, 15), range(15, 20)]):
        paths.append(tmp_path / f"{shard}.safetensors")
        write_top_samples(TopSamples.from_batch(relevance[list(numbers)], numbers, 3), paths[-1], {})
    numbers, values = brute_force(relevance, 3)
    for layer in range(SHAPE[0]):
        for order in (paths, paths[::-1]):
            merged = merge_top_samples(order, layer)
            np.testing.assert_array_equal(merged.numbers, numbers[:, layer])
            np.testing.assert_array_equal(merged.relevance, values[:, layer])


def test_a_file_takes_eight_bytes_per_neuron_and_place(file):
    start = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    assert file.stat().st_size - start == 8 * 3 * SHAPE[0] * SHAPE[1]


def test_damage_is_noticed(file, tmp_path):
    content = file.read_bytes()
    with pytest.raises(ArtefactError, match="holds 2 layers, layer 2"):
        read_top_samples(file, 2)
    for cut in (0, 5, 100, len(content) - 1):
        file.write_bytes(content[:cut])
        with pytest.raises(ArtefactError, match="delete it and run again"):
            read_top_samples(file, 0)
    start = 8 + int.from_bytes(content[:8], "little")
    for at in range(start, len(content), 4):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        refused = 0
        for layer in range(SHAPE[0]):
            try:
                read_top_samples(file, layer)
            except ArtefactError as error:
                refused += "checksum" in str(error)
        assert refused == 1, at


def test_the_table_has_a_row_per_language_neuron_and_place():
    top = {code: TopSamples.from_batch(drawn(n)[:, 1], range(n), 3) for code, n in (("en", 9), ("vi", 2))}
    table = layer_table(top, 1)
    assert len(table) == SHAPE[1] * (3 + 2), "two samples fill two places"
    for row in table.itertuples():
        found = top[row.language]
        assert row.layer == 1 and row.sample_id == found.numbers[row.place - 1, row.neuron]
        assert row.relevance == found.relevance[row.place - 1, row.neuron]
