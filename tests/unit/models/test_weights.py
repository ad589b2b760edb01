"""The files of a folder's weights: all there, whole, and no pointers."""

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from crane.models.folders import check_whole, link_folder
from crane.models.weights import read_headers, weight_files
from safetensors.torch import load_file, save_file
from support.git_lfs import LFS_POINTER
from support.malicious import Malicious
from support.model_folders import BIN, BIN_INDEX, INDEX, ONE, as_bin, as_shards, refused

# Cut ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 7, 8, 9, 100, 2000, 4000, 60_000, -1000, -1])
@pytest.mark.parametrize("form", ["safetensors", "shard", "bin", "old bin"])
def test_a_file_cut_anywhere_is_told_with_its_size(copied_model: Path, form: str, place: int) -> None:
    if form == "safetensors":
        path = copied_model / ONE
    elif form == "shard":
        path = as_shards(copied_model)[1]
    else:
        path = as_bin(copied_model, _use_new_zipfile_serialization=form == "bin")
    content = path.read_bytes()[: place if place < 40_000 or form != "shard" else 30_000]
    path.write_bytes(content)
    told = f"cut or damaged, {len(content):,} bytes ("
    if (form, place) == ("bin", 1):  # a byte that a pickle may begin with
        told = "damaged, or it holds other Python objects than tensors"
    message = refused(copied_model)
    assert f"/{path.name}: {told}" in message and "download it again" in message


@pytest.mark.parametrize(
    "content", [b"<!doctype html><html>404</html>", b"{}", b"\x00" * 5000, b"\xff" * 5000]
)
@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_another_file_in_the_place_of_weights_is_told(copied_model: Path, form: str, content: bytes) -> None:
    path = copied_model / ONE if form == "safetensors" else as_bin(copied_model)
    path.write_bytes(content)
    assert re.match(rf"/{path.name}: (cut or )?damaged, ", refused(copied_model))


def test_an_old_bin_is_checked_as_well(copied_model: Path) -> None:
    as_bin(copied_model, _use_new_zipfile_serialization=False)
    check_whole(copied_model)


# Not fetched --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["one", "shard", "index", "bin", "config.json", "tokenizer.json"])
def test_a_pointer_in_any_place_is_named(copied_model: Path, form: str) -> None:
    if form == "one":
        path = copied_model / ONE
    elif form in ("shard", "index"):
        path = as_shards(copied_model)[0]
        path = copied_model / INDEX if form == "index" else path
    elif form == "bin":
        path = as_bin(copied_model)
    else:
        path = copied_model / form
    path.write_text(LFS_POINTER)
    assert f"git-LFS pointers instead of files: {path.name}; run `git lfs pull`" in refused(copied_model)


def test_up_to_five_pointers_are_named(copied_model: Path) -> None:
    for path in as_shards(copied_model, 7):
        path.write_text(LFS_POINTER)
    message = refused(copied_model)
    assert message.count(".safetensors") == 5 and "and 2 more" in message


def test_pointers_in_a_form_that_is_not_read_do_no_harm(copied_model: Path, tmp_path: Path) -> None:
    for name in (BIN, "consolidated.safetensors", "picture.png"):
        (copied_model / name).write_text(LFS_POINTER)
    check_whole(copied_model)
    manifest = link_folder(copied_model, tmp_path / "linked", "mine", 3, 48)
    assert ONE in manifest["sha256"] and not manifest["sha256"].keys() & {BIN, "consolidated.safetensors"}
    assert weight_files(tmp_path / "linked") == [tmp_path / "linked" / ONE]


# Missing, or twice --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [[0], [2], [0, 2], [0, 1, 2]])
@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_missing_shards_are_named(copied_model: Path, form: str, gone: list[int]) -> None:
    paths = as_shards(copied_model, form=form)
    for number in gone:
        paths[number].unlink()
    message = refused(copied_model)
    assert f"{len(gone)} of the 3 files" in message
    assert all(paths[number].name in message for number in gone)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 3}}', '{"weight_map": {"a": "../b"}}'],
)
def test_a_damaged_index_is_told(copied_model: Path, content: str) -> None:
    as_shards(copied_model)
    (copied_model / INDEX).write_text(content)
    assert f"{INDEX}: no readable index of weights" in refused(copied_model)


def test_a_tensor_in_two_files_is_told(copied_model: Path) -> None:
    first, second, _ = as_shards(copied_model)
    shared = load_file(first)
    save_file(load_file(second) | {"lm_head.weight": shared["lm_head.weight"]}, second)
    assert f"tensors in {second.name} and in another file: lm_head.weight" in refused(copied_model)


def test_a_tensor_that_only_the_index_has_is_missing(copied_model: Path) -> None:
    first, *_ = as_shards(copied_model)
    tensors = load_file(first)
    del tensors["lm_head.weight"]
    save_file(tensors, first)
    assert "lm_head.weight" in json.loads((copied_model / INDEX).read_text())["weight_map"]
    assert "1 missing: lm_head.weight" in refused(copied_model)


def test_two_sets_of_weights_are_told(copied_model: Path) -> None:
    content = (copied_model / ONE).read_bytes()
    as_shards(copied_model)
    (copied_model / ONE).write_bytes(content)
    assert f"two sets of weights, {ONE} and {INDEX}" in refused(copied_model)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.pt", "adapter_model.safetensors"])
def test_weights_of_another_name_are_none(copied_model: Path, name: str) -> None:
    (copied_model / ONE).rename(copied_model / name)
    assert f"no weights ({ONE} or {INDEX} or {BIN} or {BIN_INDEX})" in refused(copied_model)


# Pickles ------------------------------------------------------------------------------------------------


def test_a_bin_that_runs_code_is_refused(copied_model: Path, tmp_path: Path) -> None:
    path = as_bin(copied_model)
    for write in (torch.save, lambda value, to: to.write_bytes(pickle.dumps(value))):
        write({"lm_head.weight": Malicious(tmp_path / "harm")}, path)
        assert "other Python objects than tensors, which are never loaded" in refused(copied_model)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"state_dict": {"a": torch.zeros(2)}}, torch.zeros(2)])
def test_a_bin_of_another_layout_is_told(copied_model: Path, content: object) -> None:
    torch.save(content, as_bin(copied_model))
    assert f"{BIN}: not a state dict" in refused(copied_model)


def test_headers_hold_shapes_and_types_and_no_weights(copied_model: Path) -> None:
    stored = load_file(copied_model / ONE)
    for form in ("safetensors", "bin"):
        read = read_headers([copied_model / ONE if form == "safetensors" else as_bin(copied_model)])
        assert {name: (one.shape, one.dtype) for name, one in read.items()} == {
            name: (one.shape, one.dtype) for name, one in stored.items()
        }
        assert all(one.is_meta for one in read.values())
