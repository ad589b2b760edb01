"""The tensors of a folder are those of the architecture, in whatever form they are published, or are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from crane.models.errors import ModelError
from crane.models.folders import check_settings, check_whole
from crane.models.loading import load_model
from support import model_folders
from support.model_folders import ONE, Tensors, as_bin, as_shards, change_tensors, set_json
from support.models import FAMILIES, FAMILIES_WITH_EXPERTS, build_model

NAMES = sorted(build_model("llama").state_dict())


@pytest.fixture
def refused(copied_model: Path) -> Callable[..., str]:
    """Return the message about the folder after a change of its tensors."""

    def check(change: Callable[[Tensors], Tensors], **config: Any) -> str:
        change_tensors(copied_model, change)
        set_json(copied_model / "config.json", config)
        return model_folders.refused(copied_model)

    return check


# What is right ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["one file", "shards", "bin", "old bin", "bin shards", "float16", "float64"])
@pytest.mark.parametrize("family", [*FAMILIES, *FAMILIES_WITH_EXPERTS])
def test_every_form_of_every_family_is_taken_as_it_is(
    tmp_path: Path, tokenizer: Any, family: str, form: str
) -> None:
    model = build_model(family)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    if form == "shards":
        as_shards(tmp_path)
    elif form == "bin":
        as_bin(tmp_path)
    elif form == "old bin":
        as_bin(tmp_path, _use_new_zipfile_serialization=False)
    elif form == "bin shards":
        as_shards(tmp_path, 2, "bin")
    elif form.startswith("float"):
        change_tensors(tmp_path, lambda t: {name: one.to(getattr(torch, form)) for name, one in t.items()})
    check_whole(tmp_path)
    if form == "bin shards":
        ids = torch.arange(3, 23)[None]
        with torch.no_grad():
            assert torch.equal(load_model(tmp_path)(ids).logits, model(ids).logits)


@pytest.mark.parametrize("output_layer", [True, False])
@pytest.mark.parametrize("family", [*FAMILIES, *FAMILIES_WITH_EXPERTS])
def test_tied_weights_need_no_output_layer_and_may_have_one(
    tmp_path: Path, tokenizer: Any, family: str, output_layer: bool
) -> None:
    model = build_model(family, tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    if output_layer:
        head = model.get_output_embeddings().weight.detach().clone()
        change_tensors(tmp_path, lambda t: {**t, "lm_head.weight": head})
    check_whole(tmp_path)
    ids = torch.arange(3, 23)[None]
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path)(ids).logits, model(ids).logits)
    if output_layer:
        change_tensors(tmp_path, lambda t: {**t, "lm_head.weight": head + 1})
        with pytest.raises(ModelError, match="the weights hold another one; set tie_word_embeddings: false"):
            load_model(tmp_path)


def test_gpt2_as_published_has_no_prefix_and_old_buffers(tmp_path: Path, tokenizer: Any) -> None:
    model = build_model("gpt2", tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    buffers = {
        **{f"h.{k}.attn.bias": torch.ones(1, 1, 96, 96, dtype=torch.uint8) for k in range(3)},
        **{f"h.{k}.attn.masked_bias": torch.tensor(-1e4) for k in range(3)},
    }
    change_tensors(
        tmp_path, lambda t: {name.removeprefix("transformer."): one for name, one in t.items()} | buffers
    )
    ids = torch.arange(3, 23)[None]
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path)(ids).logits, model(ids).logits)


def test_frequencies_that_old_llamas_saved_do_no_harm(copied_model: Path) -> None:
    old = {f"model.layers.{k}.self_attn.rotary_emb.inv_freq": torch.ones(4) for k in range(3)}
    change_tensors(copied_model, lambda t: t | old)
    check_whole(copied_model)


def test_the_former_names_of_a_multimodal_gemma3_are_known(tmp_path: Path, tokenizer: Any) -> None:
    model = build_model("gemma3")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    former = {
        "model.language_model.": "language_model.model.",
        "lm_head.": "language_model.lm_head.",
        "model.": "",
    }

    def renamed(name: str) -> str:
        start = next((each for each in former if name.startswith(each)), "")
        return former.get(start, "") + name.removeprefix(start)

    change_tensors(tmp_path, lambda t: {renamed(name): one for name, one in t.items()})
    ids = torch.arange(3, 23)[None]
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path)(ids).logits, model(ids).logits)


def test_no_memory_is_taken_for_a_large_model(copied_model: Path) -> None:
    """The configuration of a 70B model, whose weights would take 140 GB."""
    wide = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "head_dim": 128,
            "num_attention_heads": 64, "num_key_value_heads": 8}  # fmt: skip
    set_json(copied_model / "config.json", wide)
    with pytest.raises(ModelError, match=r"missing: .*of another shape: .*\[140, 32\] for \[140, 8192\]"):
        check_whole(copied_model)


# What is missing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_any_missing_tensor_is_named(refused: Callable[..., str], name: str) -> None:
    message = refused(lambda t: {key: one for key, one in t.items() if key != name})
    assert f"those of the llama that config.json describes: 1 missing: {name};" in message


def test_an_untied_model_without_output_layer_is_told_the_key(refused: Callable[..., str]) -> None:
    message = refused(lambda t: {key: one for key, one in t.items() if key != "lm_head.weight"})
    assert "set tie_word_embeddings: true" in message


def test_up_to_five_are_named_and_the_others_counted(refused: Callable[..., str]) -> None:
    message = refused(lambda t: {key: one for key, one in t.items() if "layers.2" not in key})
    assert "9 missing: " in message and " and 4 more; " in message
    assert message.count("model.layers.2.") == 5


def test_more_layers_than_weights_are_missing_tensors(refused: Callable[..., str]) -> None:
    assert "9 missing: model.layers.3.input_layernorm.weight" in refused(dict, num_hidden_layers=4)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "base_model.model.", "net_", "a.b_c.d."])
def test_a_prefix_of_all_names_is_told(refused: Callable[..., str], prefix: str) -> None:
    message = refused(lambda t: {prefix + key: one for key, one in t.items()})
    assert f"remove the prefix {prefix!r} from the names of all tensors" in message
    assert "30 missing" in message and "30 unexpected" in message


# What is too much, or other -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["v_head.summary.weight", "score.weight", "model.layers.3.mlp.up_proj.weight", "model.embed.bias"]
)
def test_a_tensor_that_the_architecture_lacks_is_named(refused: Callable[..., str], name: str) -> None:
    assert f"1 unexpected: {name};" in refused(lambda t: {**t, name: torch.zeros(4)})


def test_fewer_layers_than_weights_are_unexpected_tensors(refused: Callable[..., str]) -> None:
    assert "9 unexpected: model.layers.2" in refused(dict, num_hidden_layers=2)


@pytest.mark.parametrize("name", NAMES)
def test_any_tensor_of_another_shape_is_named(refused: Callable[..., str], name: str) -> None:
    message = refused(lambda t: {**t, name: t[name][1:].contiguous()})
    assert f"1 of another shape: {name} [" in message


@pytest.mark.parametrize(
    "change", [{"vocab_size": 160}, {"hidden_size": 64}, {"num_key_value_heads": 4}, {"head_dim": 16}]
)
def test_a_configuration_of_another_shape_is_told(
    refused: Callable[..., str], change: dict[str, Any]
) -> None:
    assert "of another shape: " in refused(dict, **change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pad_token_id": 140}, "Padding_idx must be within num_embeddings"),
        ({"hidden_act": "unheard-of"}, "'unheard-of'"),
    ],
)
def test_a_configuration_of_no_model_is_told(
    refused: Callable[..., str], change: dict[str, Any], reason: str
) -> None:
    message = refused(dict, **change)
    assert f"config.json describes no model that can be built ({reason})" in message


@pytest.mark.parametrize(
    ("change", "told"),
    [({"num_hidden_layers": -1}, "27 unexpected: "), ({"hidden_size": 0}, "30 of another shape: ")],
)
def test_a_configuration_of_an_empty_model_is_told(
    refused: Callable[..., str], change: dict[str, Any], told: str
) -> None:
    assert told in refused(dict, **change)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.bool, torch.float8_e4m3fn])
@pytest.mark.parametrize("name", [NAMES[0], "model.layers.1.mlp.down_proj.weight"])
def test_packed_weights_are_quantised(refused: Callable[..., str], name: str, dtype: torch.dtype) -> None:
    message = refused(lambda t: {**t, name: t[name].to(dtype)})
    assert f"the model is quantised: {name} ({str(dtype).removeprefix('torch.')})" in message


def test_a_quantised_model_without_its_configuration_is_told(refused: Callable[..., str]) -> None:
    down = "model.layers.0.mlp.down_proj"

    def gptq(tensors: Tensors) -> Tensors:
        del tensors[f"{down}.weight"]
        more = {"qweight": torch.int32, "qzeros": torch.int32, "scales": torch.float16, "g_idx": torch.int32}
        return tensors | {f"{down}.{name}": torch.zeros(4, 4, dtype=dtype) for name, dtype in more.items()}

    assert f"the model is quantised: {down}.g_idx (int32), {down}.qweight (int32)" in refused(gptq)


# Before the weights are there ---------------------------------------------------------------------------


def test_an_index_tells_names_before_the_weights_are_downloaded(copied_model: Path) -> None:
    for path in as_shards(copied_model):
        path.unlink()
    check_settings(copied_model, "mine", 3, 48)
    set_json(copied_model / "config.json", {"num_hidden_layers": 4})
    with pytest.raises(ModelError, match=r"9 missing: model\.layers\.3"):
        check_settings(copied_model, "mine", 4, 48)


def test_without_an_index_the_settings_are_checked_alone(copied_model: Path) -> None:
    (copied_model / ONE).unlink()
    check_settings(copied_model, "mine", 3, 48)
