"""A GGUF file becomes the folder of the model that it was made from, or an error that says what is wrong."""

import pytest
import torch
from crane.artefacts import read_json, sha256
from crane.models.errors import ModelError
from crane.models.folders import check_folder
from crane.models.gguf_files import check_gguf, dequantise
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from support import gguf_writer
from support.git_lfs import LFS_POINTER

SHAPE = {"layers": 3, "intermediate_size": 48}


@pytest.fixture
def original(make_model):
    return make_model("llama", seed=3, vocabulary=len(gguf_writer.TOKENS))


def test_the_folder_computes_what_the_original_does(original, tmp_path):
    source = gguf_writer.write(original, tmp_path / "tiny.gguf")
    manifest = dequantise(source, tmp_path / "model", "tiny", **SHAPE)
    check_folder(tmp_path / "model", "tiny", **SHAPE)
    ids = torch.arange(2, 40)[None]
    with torch.no_grad():
        found = load_model(tmp_path / "model", "float32")(ids).logits
        assert torch.equal(found, original(ids).logits)
    assert manifest == read_json(tmp_path / "model/manifest.json")
    assert manifest["dequantised"] == {"from": ["F32"], "to": "float32", "sha256": sha256(source)}


def test_the_tokenizer_comes_with_it(original, tmp_path):
    source = gguf_writer.write(original, tmp_path / "tiny.gguf")
    dequantise(source, tmp_path / "model", "tiny", **SHAPE)
    tokenizer = load_tokenizer(tmp_path / "model")
    assert tokenizer.decode(tokenizer("Hà Nội", add_special_tokens=False).input_ids) == "Hà Nội"
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1)
    assert len(tokenizer) == len(gguf_writer.TOKENS), "and none that the conversion invents"


def test_a_missing_tensor_is_named(original, tmp_path):
    source = gguf_writer.write(original, tmp_path / "tiny.gguf", without="blk.1.ffn_up.weight")
    with pytest.raises(
        ModelError, match=r"tiny\.gguf: tensors missing: model\.layers\.1\.mlp\.up_proj\.weight"
    ):
        dequantise(source, tmp_path / "model", "tiny", **SHAPE)
    assert not (tmp_path / "model").exists()


def test_a_tensor_that_the_architecture_lacks_is_refused(original, tmp_path):
    source = gguf_writer.write(original, tmp_path / "tiny.gguf", more=("blk.0.ffn_norm_exps.weight",))
    with pytest.raises(ModelError, match="1 of its 31 tensors have no place in a llama"):
        dequantise(source, tmp_path / "model", "tiny", **SHAPE)


def test_a_tensor_of_another_shape_is_refused(original, tmp_path):
    source = gguf_writer.write(original, tmp_path / "tiny.gguf", cut="blk.2.ffn_gate.weight")
    with pytest.raises(ModelError, match="gate_proj"):
        dequantise(source, tmp_path / "model", "tiny", **SHAPE)
    assert not (tmp_path / "model").exists()


def test_the_repeated_frequencies_of_rotary_positions_do_no_harm(original, tmp_path):
    source = gguf_writer.write(original, tmp_path / "tiny.gguf", more=("rope_freqs.weight",))
    dequantise(source, tmp_path / "model", "tiny", **SHAPE)


def test_what_is_no_gguf_file_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"nothing\.gguf: no such GGUF file"):
        check_gguf(tmp_path / "nothing.gguf", "tiny", **SHAPE)
    for text, message in (
        (LFS_POINTER, r"git-LFS pointers instead of files: text\.gguf"),
        ("GGML, an older form\n", r"text\.gguf: not a readable GGUF file"),
    ):
        (tmp_path / "text.gguf").write_text(text)
        with pytest.raises(ModelError, match=message):
            check_gguf(tmp_path / "text.gguf", "tiny", **SHAPE)


def test_another_shape_names_the_keys_to_correct(original, tmp_path):
    source = gguf_writer.write(original, tmp_path / "tiny.gguf")
    with pytest.raises(ModelError, match=r"has 3 layers of 48 neurons, the configuration says 4 of 48"):
        check_gguf(source, "tiny", layers=4, intermediate_size=48)
