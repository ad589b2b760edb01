"""Files of neuron sets give back what was written, and others are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from crane.artefacts import ArtefactError, read_metadata, write_table
from crane.neurons.neuron_set import NeuronSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.git_lfs import LFS_POINTER
from support.malicious import Malicious
from support.neurons import keys, some_set

LAPE_LANGUAGES = ("en", "zh", "fr", "es", "vi", "id", "ja")


# Parquet ----------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
       site=st.sampled_from(["intermediate", "residual_write"]))  # fmt: skip
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parquet_round_trip(tmp_path, seed, share, site):
    neurons = some_set(seed, share, site)
    neurons.write_parquet(tmp_path / "set.parquet", {"seed": seed})
    read = NeuronSet.read_parquet(tmp_path / "set.parquet")
    assert read == neurons
    assert list(read) == ["en", "zh", "vi"]
    assert (read.layers, read.site) == (4, site)
    assert read_metadata(tmp_path / "set.parquet")["seed"] == seed
    for language in neurons:
        for k, indices in neurons[language].items():
            if len(indices):
                assert read[language][k].dtype == np.int64
                np.testing.assert_array_equal(read.scores[language][k], neurons.scores[language][k])


def test_the_table_is_tidy_and_scores_may_be_absent(tmp_path):
    neurons = NeuronSet({"vi": {1: np.array([4, 7])}}, layers=2)
    frame = neurons.to_frame()
    assert list(frame) == ["language", "layer", "site", "neuron", "score"]
    assert frame["neuron"].tolist() == [4, 7]
    assert frame["score"].isna().all()
    neurons.write_parquet(tmp_path / "set.parquet")
    assert NeuronSet.read_parquet(tmp_path / "set.parquet") == neurons


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "set.parquet"
    some_set().write_parquet(path)
    content = path.read_bytes()
    for damaged in (content[:-20], content[: len(content) // 2], b""):
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError, match=r"set\.parquet.*delete it and run again"):
            NeuronSet.read_parquet(path)
    with pytest.raises(ArtefactError, match="missing"):
        NeuronSet.read_parquet(tmp_path / "missing.parquet")
    write_table(some_set().to_frame(), path, {})
    with pytest.raises(ArtefactError, match="not a neuron set"):
        NeuronSet.read_parquet(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neuron": [0.5, 1.0]}, "layers and neurons must be integers"),
        ({"neuron": [True, False]}, "layers and neurons must be integers"),
        ({"neuron": [-1, 3]}, r"set\.parquet: en, layer 0: indices must be one row of numbers >= 0"),
        ({"layer": [0, 9]}, r"set\.parquet: en: layer 9 is outside 0\.\.1"),
        ({"neuron": [3, 3]}, "ascend without repetition"),
    ],
)
def test_a_table_of_other_things_than_indices_is_refused(tmp_path, change, message):
    neurons = NeuronSet({"en": {0: np.array([1, 3])}}, layers=2)
    path = tmp_path / "set.parquet"
    neurons.write_parquet(path)
    write_table(neurons.to_frame().assign(**change), path, read_metadata(path))
    with pytest.raises(ArtefactError, match=message):
        NeuronSet.read_parquet(path)


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        some_set().write_parquet(tmp_path / "set.parquet", {"unserialisable": object()})
    assert list(tmp_path.iterdir()) == []


# LAPE's .pth ------------------------------------------------------------------------------------------


def test_lape_round_trip(tmp_path):
    neurons = some_set()
    neurons.write_lape(tmp_path / "set.pth", ["zh", "vi", "en"])
    lists = torch.load(tmp_path / "set.pth", weights_only=True)
    assert [[type(t) for t in row] for row in lists] == [[torch.Tensor] * 4] * 3
    assert lists[0][0].tolist() == neurons["zh"][0].tolist()
    read = NeuronSet.read_lape(tmp_path / "set.pth", ["zh", "vi", "en"])
    assert list(read) == ["zh", "vi", "en"]
    assert all(keys(read, language) == keys(neurons, language) for language in neurons)
    assert [p.name for p in tmp_path.iterdir()] == ["set.pth"]


def test_lape_format_round_trip(tmp_path: Path):
    flags = np.random.default_rng(0).random((2, 3, 48)) < 0.2
    neurons = NeuronSet.from_flags(flags, ["en", "vi"])
    neurons.write_lape(tmp_path / "x.pth", ["en", "vi"])
    assert NeuronSet.read_lape(tmp_path / "x.pth", ["en", "vi"]) == neurons


def test_lape_indices_need_not_be_sorted(tmp_path):
    torch.save([[torch.tensor([5, 1, 3]), torch.tensor([], dtype=torch.long)]], tmp_path / "set.pth")
    read = NeuronSet.read_lape(tmp_path / "set.pth", ["en"])
    assert read["en"][0].tolist() == [1, 3, 5]
    assert read.layers == 2


def test_the_published_lape_file_comes_back(real_data, tmp_path):
    path = real_data / "LLaMA-2-7B.neuron.pth"
    neurons = NeuronSet.read_lape(path, LAPE_LANGUAGES)
    assert neurons.layers == 32
    assert {name: neurons.total(name) for name in ("en", "zh", "vi")} == {"en": 95, "zh": 583, "vi": 836}
    assert max(int(i.max()) for rows in neurons.values() for i in rows.values() if len(i)) < 11008
    neurons.write_lape(tmp_path / "again.pth", LAPE_LANGUAGES)
    assert NeuronSet.read_lape(tmp_path / "again.pth", LAPE_LANGUAGES) == neurons
    published, again = (torch.load(p, weights_only=True) for p in (path, tmp_path / "again.pth"))
    for one, two in zip(published, again, strict=True):
        for a, b in zip(one, two, strict=True):
            assert a.sort().values.tolist() == b.tolist()
    neurons.write_parquet(tmp_path / "again.parquet")
    assert NeuronSet.read_parquet(tmp_path / "again.parquet") == neurons


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    torch.save([[Malicious(tmp_path / "harm")]], tmp_path / "set.pth")
    with pytest.raises(ArtefactError, match=r"set\.pth: not a PyTorch file of plain tensors"):
        NeuronSet.read_lape(tmp_path / "set.pth", ["en"])
    assert not (tmp_path / "harm").exists()
    torch.load(tmp_path / "set.pth", weights_only=False)
    assert (tmp_path / "harm").exists()  # the file is malicious indeed


@pytest.mark.parametrize(
    ("content", "languages", "message"),
    [
        ({"en": []}, ["en"], "expected a list per language"),
        ([torch.tensor([1])], ["en"], "expected a list per language"),
        ((torch.tensor([1]),), ["en"], "found a tuple of tensor of int64 and shape"),
        (torch.zeros(1, 2, 3), ["en"], r"found a tensor of float32 and shape \[1, 2, 3\]"),
        ([], ["en"], "expected a list per language"),
        ([[[1, 2]]], ["en"], "en, layer 0: a list of int; expected a one-dimensional integer tensor"),
        ([[torch.tensor([1]), torch.tensor([0.5])]], ["en"], "en, layer 1: a tensor of float32"),
        ([[torch.tensor([])]], ["en"], r"a tensor of float32 and shape \[0\]"),
        ([[torch.tensor([1j])]], ["en"], "a tensor of complex64"),
        ([[torch.tensor([True, False])]], ["en"], r"a tensor of bool.*m\.nonzero\(\)"),
        ([[torch.tensor([0, 1, 1], dtype=torch.uint8)]], ["en"], "a tensor of uint8"),
        ([[torch.tensor([0, 1, 0, 0, 1])]], ["en"], "5 zeros and ones, which is a mask"),
        ([[torch.tensor(3)]], ["en"], r"int64 and shape \[\]"),
        ([[torch.tensor([[1, 2]])]], ["en"], r"int64 and shape \[1, 2\]"),
        (
            [[torch.tensor([2]), torch.tensor([5, -1])]],
            ["en"],
            "en, layer 1: neuron -1; indices .* begin with 0",
        ),
        ([[torch.tensor([1])]], ["en", "vi"], r"holds 1 languages, 2 were named \(en, vi\)"),
        ([[torch.tensor([1])], []], ["en", "vi"], "different numbers of layers"),
    ],
)
def test_other_pth_files_are_refused(tmp_path, content, languages, message):
    torch.save(content, tmp_path / "set.pth")
    with pytest.raises(ArtefactError, match=message) as caught:
        NeuronSet.read_lape(tmp_path / "set.pth", languages)
    assert "set.pth" in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_every_integer_type_holds_indices(tmp_path, dtype):
    torch.save([[torch.tensor([7, 0], dtype=dtype), torch.tensor([], dtype=dtype)]], tmp_path / "set.pth")
    read = NeuronSet.read_lape(tmp_path / "set.pth", ["en"])
    assert read["en"][0].tolist() == [0, 7] and read["en"][0].dtype == np.int64


def test_arrays_of_numpy_and_lfs_pointers_are_refused_without_dangerous_advice(tmp_path):
    path = tmp_path / "set.pth"
    torch.save([[np.array([1, 2])]], path)
    with pytest.raises(
        ArtefactError, match=r"set\.pth: not a PyTorch file of plain tensors \(it holds numpy"
    ) as caught:
        NeuronSet.read_lape(path, ["en"])
    assert "weights_only" not in str(caught.value) and "\n" not in str(caught.value)
    path.write_text(LFS_POINTER)
    with pytest.raises(
        ArtefactError, match=r"set\.pth: a git-LFS pointer instead of the file; run `git lfs pull`"
    ):
        NeuronSet.read_lape(path, ["en"])


def test_a_truncated_or_missing_pth_is_refused(tmp_path):
    some_set().write_lape(tmp_path / "set.pth", ["en", "zh", "vi"])
    (tmp_path / "set.pth").write_bytes((tmp_path / "set.pth").read_bytes()[:200])
    for name in ("set.pth", "missing.pth"):
        with pytest.raises(ArtefactError, match=name):
            NeuronSet.read_lape(tmp_path / name, ["en", "zh", "vi"])
