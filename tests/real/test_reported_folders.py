"""Folders and masks as people have them: those that can be used compute, encode and count as they should."""

from pathlib import Path

import pytest
from crane.models.folders import link_folder
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons.imported import import_masks
from sentencepiece import SentencePieceProcessor

READ = {"good": 9, "int32": 6, "legacy": 9, "unsorted_dup": 6}


@pytest.fixture(scope="module")
def inputs(real_data: Path) -> Path:
    """Return the folder of the inputs."""
    return real_data / "inputs"


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


@pytest.mark.parametrize("name", READ)
def test_masks_of_indices_are_read(inputs: Path, name: str) -> None:
    masks = import_masks(inputs / "masks" / f"{name}.pth", ["en", "vi"], ["vi"], 3, 48)
    assert list(masks) == ["vi"] and masks.total("vi") == READ[name]
