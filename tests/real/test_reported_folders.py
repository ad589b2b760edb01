"""Folders and masks as people have them, from public reports of errors."""

from pathlib import Path

import pytest
from crane.errors import CraneError
from crane.models.folders import check_folder, link_folder
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons.imported import import_masks
from sentencepiece import SentencePieceProcessor

REFUSED = {
    "gptq": r"the model is quantised \(config\.json has a quantization_config of gptq\)",
    "lfs_bin": r"git-LFS pointers instead of files: pytorch_model\.bin; run `git lfs pull`",
    "lfs_safetensors": r"git-LFS pointers instead of files: model\.safetensors; run `git lfs pull`",
    "missing_shard": r"1 of the 7 files that .*index\.json names are missing: model-00002-of-00007\.safetensors",
    "missing_tensors": r"3 missing: model\.layers\.2\.mlp\.down_proj\.weight, model\.layers\.2\.mlp\.gate_proj",
    "prefix_keys": r"30 missing: .* and 25 more; 30 unexpected: .*remove the prefix '_orig_mod\.'",
    "remote_code": r"names code of the folder \(auto_map\), which is never run",
    "tokenizer_larger": r"embedding of 140 rows, which has none for '\[PAD\]' \(140\), 'Paris' \(141\)",
}
MASKS = {
    "bool_mask": "en, layer 0: a tensor of bool and shape",
    "dict": "expected a list per language .* found a dict",
    "empty_float": r"en, layer 0: a tensor of float32 and shape \[0\]",
    "float": "en, layer 0: a tensor of float32",
    "lists": "en, layer 0: a list of int",
    "numpy": r"not a PyTorch file of plain tensors \(it holds numpy",
    "ragged": "languages with different numbers of layers",
    "scalar": r"en, layer 0: a tensor of int64 and shape \[\]",
    "stack": r"found a tensor of float32 and shape \[2, 3, 48\]",
    "too_large": "en: neuron 11007 does not exist, the model has 48 per layer",
    "tuple_rows": "found a tuple of tuple",
    "twod": r"en, layer 0: a tensor of int64 and shape \[2, 2\]",
}
READ = {"good": 9, "int32": 6, "legacy": 9, "unsorted_dup": 6}


@pytest.fixture(scope="module")
def inputs(real_data: Path) -> Path:
    """Return the folder of the inputs."""
    return real_data / "inputs"


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_one_line(inputs: Path, tmp_path: Path, name: str) -> None:
    folder = inputs / "models" / name
    for check in (
        lambda: check_folder(folder, "base", 3, 48),
        lambda: load_model(folder),
        lambda: link_folder(folder, tmp_path / "linked", "base", 3, 48),
    ):
        with pytest.raises(CraneError, match=REFUSED[name]) as caught:
            check()
        assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    assert not (tmp_path / "linked").exists()


@pytest.mark.parametrize("name", ["good", "generation_bad", "generation_min", "spm_only"])
def test_what_can_be_used_is_loaded(inputs: Path, tmp_path: Path, name: str) -> None:
    link_folder(inputs / "models" / name, tmp_path / "linked", "base", 3, 48)
    ids = load_tokenizer(tmp_path / "linked")("The capital of France", return_tensors="pt").input_ids
    assert load_model(tmp_path / "linked")(ids).logits.isfinite().all()


def test_tokenizer_model_alone_encodes_as_sentencepiece(inputs: Path) -> None:
    folder = inputs / "models" / "spm_only"
    model = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    for text in ("Paris is in France.", "Hà Nội", "北京"):
        assert load_tokenizer(folder)(text).input_ids == [1, *model.encode(text)]


@pytest.mark.parametrize("name", MASKS)
def test_masks_of_anything_but_indices_are_one_line(inputs: Path, name: str) -> None:
    path = inputs / "masks" / f"{name}.pth"
    with pytest.raises(CraneError, match=MASKS[name]) as caught:
        import_masks(path, ["en", "vi"], ["en", "vi"], 3, 48)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("name", READ)
def test_masks_of_indices_are_read(inputs: Path, name: str) -> None:
    masks = import_masks(inputs / "masks" / f"{name}.pth", ["en", "vi"], ["vi"], 3, 48)
    assert list(masks) == ["vi"] and masks.total("vi") == READ[name]
