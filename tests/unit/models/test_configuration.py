"""config.json: what it may say, and that nothing of a folder is run or asked."""

import ast
import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crane.errors import CraneError
from crane.evaluation.hf import HuggingFaceEngine
from crane.evaluation.vllm import VllmEngine
from crane.models.configuration import check_experts, check_positions, read_config, stated_positions
from crane.models.errors import ModelError
from crane.models.families import UnsupportedModelError, positions
from crane.models.folders import check_folder, check_settings, check_whole, link_folder
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons.masked_checkpoint import export_masked
from crane.neurons.neuron_set import NeuronSet
from support.model_folders import change_tensors, set_json
from support.models import FAMILIES, build_model
from support.places import SCRIPTS

MASKS = NeuronSet({"en": {0: np.array([1])}}, layers=3)
LOADERS: dict[str, Callable[[Path], Any]] = {
    "relevance": load_model,
    "hf": HuggingFaceEngine,
    "vllm": VllmEngine,
    "export": lambda folder: export_masked(folder, folder.with_name("out"), MASKS, "en", {}),
    "link": lambda folder: link_folder(folder, folder.with_name("out"), "mine", 3, 48),
    "preflight": lambda folder: check_folder(folder, "mine", 3, 48),
}


@pytest.fixture(autouse=True)
def _nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> str:
        raise AssertionError("a question on stdin")

    monkeypatch.setattr(builtins, "input", asked)


# Every loader makes the same check ----------------------------------------------------------------------


def _missing(folder: Path) -> None:
    change_tensors(folder, lambda t: {name: one for name, one in t.items() if "layers.1.mlp.up" not in name})


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "tensor": (_missing, r"1 missing: model\.layers\.1\.mlp\.up_proj\.weight"),
    "quantised": (lambda f: set_json(f / "config.json", {"quantization_config": {"quant_method": "awq"}}), "of awq"),
    "code": (lambda f: set_json(f / "config.json", {"auto_map": {"AutoConfig": "x.C"}}), "never run"),
    "cut": (lambda f: (f / "model.safetensors").write_bytes(b"cut"), "cut or damaged"),
    "tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
    "generation": (lambda f: (f / "generation_config.json").write_text("{"), "no readable JSON object"),
    "ends": (lambda f: set_json(f / "generation_config.json", {"eos_token_id": ["</s>"]}), "eos_token_id is "),
    "template": (lambda f: (f / "chat_template.jinja").write_text("{{ 1 / 0 }}"), "chat template"),
    "family": (lambda f: set_json(f / "config.json", {"model_type": "olmo"}), "'olmo' is not supported"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("loader", LOADERS)
def test_every_loader_refuses_with_the_same_words(copied_model: Path, loader: str, fault: str) -> None:
    make, message = FAULTS[fault]
    make(copied_model)
    with pytest.raises(CraneError, match=message) as caught:
        LOADERS[loader](copied_model)
    with pytest.raises(CraneError) as again:
        check_whole(copied_model)
    assert str(caught.value) == str(again.value)
    assert not copied_model.with_name("out").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    for load in LOADERS.values():
        with pytest.raises(ModelError, match="nothing: no such model folder"):
            load(tmp_path / "nothing")


# Nothing of a folder is run -----------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", ["llama", "baichuan", "gemma3"])
@pytest.mark.parametrize("kind", ["AutoConfig", "AutoModelForCausalLM", "AutoModel"])
def test_code_of_the_folder_is_never_run(copied_model: Path, kind: str, model_type: str) -> None:
    harm = copied_model.with_name("harm")
    (copied_model / "code.py").write_text(f"open({str(harm)!r}, 'w')\nclass Anything: pass\n")
    set_json(copied_model / "config.json", {"model_type": model_type, "auto_map": {kind: "code.Anything"}})
    for load in (*LOADERS.values(), lambda folder: check_settings(folder, "mine", 3, 48)):
        with pytest.raises(ModelError, match=r"config\.json names code of the folder \(auto_map\)"):
            load(copied_model)
    assert not harm.exists()


@pytest.mark.parametrize("kind", ["CustomTokenizer", "LlamaTokenizer", None])
def test_a_tokenizer_of_the_folders_code_is_never_run(copied_model: Path, kind: str | None) -> None:
    harm = copied_model.with_name("harm")
    (copied_model / "code.py").write_text(f"open({str(harm)!r}, 'w')\nclass CustomTokenizer: pass\n")
    auto_map = {"AutoTokenizer": ["code.CustomTokenizer", None]}
    set_json(copied_model / "tokenizer_config.json", {"tokenizer_class": kind, "auto_map": auto_map})
    for load in (load_tokenizer, check_whole):
        with pytest.raises(ModelError, match=r"tokenizer_config\.json names code of the folder \(auto_map\)"):
            load(copied_model)
    assert not harm.exists()


def test_every_call_of_transformers_says_that_no_code_is_trusted() -> None:
    calls = [
        (path.name, call.lineno, [word.arg for word in call.keywords])
        for path in SCRIPTS.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "from_pretrained"
        and not (isinstance(call.func.value, ast.Name) and call.func.value.id == "GenerationConfig")
    ]
    assert len(calls) > 5
    # None stands for `**where`, with which gguf_files.py says so.
    unsaid = [where for *where, words in calls if "trust_remote_code" not in words]
    by_mapping = [(name, line) for name, line, words in calls if name == "gguf_files.py" and None in words]
    assert len(by_mapping) == 2
    assert [where for where in unsaid if tuple(where) not in by_mapping] == []


# What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sign"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "a quantization_config of gptq"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "config of bitsandbytes"),
        ({"quantization_config": {"bits": 4}}, r"a quantization_config\)"),
        ({"quantization_config": "fp8"}, r"a quantization_config\)"),
        ({"quantization_config": {}}, r"a quantization_config\)"),
        ({"compression_config": {"format": "int-quantized"}}, "a compression_config"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "a quantization_config of fp8"),
    ],
)  # fmt: skip
def test_a_quantised_model_is_told(copied_model: Path, changes: dict[str, Any], sign: str) -> None:
    set_json(copied_model / "config.json", changes)
    with pytest.raises(ModelError, match=rf"the model is quantised \(config\.json has .*{sign}.*bfloat16"):
        check_whole(copied_model)


@pytest.mark.parametrize("name", ["quantize_config.json", "quant_config.json", "hf_quant_config.json"])
def test_a_quantised_model_is_told_by_its_tools_file(copied_model: Path, name: str) -> None:
    (copied_model / name).write_text("{}")
    with pytest.raises(ModelError, match=rf"the model is quantised \({name} is beside the weights\)"):
        check_whole(copied_model)


def test_a_quantisation_of_null_is_none(copied_model: Path) -> None:
    stated = json.loads((copied_model / "config.json").read_text())
    (copied_model / "config.json").write_text(json.dumps(stated | {"quantization_config": None}))
    check_whole(copied_model)


def test_an_adapter_is_told(copied_model: Path) -> None:
    (copied_model / "adapter_config.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(ModelError, match=r"the folder holds an adapter; merge it .*merge_and_unload"):
            check_folder(copied_model, "mine", 3, 48)
        (copied_model / "config.json").unlink(missing_ok=True)  # an adapter alone has none


def test_weights_of_another_name_in_the_configuration_are_told(copied_model: Path) -> None:
    set_json(copied_model / "config.json", {"transformers_weights": "model.safetensors"})
    with pytest.raises(
        ModelError, match=r"names a file of weights \(transformers_weights\), which vLLM ignores"
    ):
        check_whole(copied_model)


@pytest.mark.parametrize("kind", ["olmo", "bert", "jamba", "LLAMA", "unheard-of"])
def test_an_unknown_family_names_the_known_ones(copied_model: Path, kind: str) -> None:
    set_json(copied_model / "config.json", {"model_type": kind})
    with pytest.raises(
        UnsupportedModelError, match=rf"model type '{kind}' is not supported; supported: bloom, "
    ):
        check_whole(copied_model)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"null", b"\xff\xfe{\x00}\x00", b'{"model_type": 3}']
)
def test_an_unreadable_configuration_is_told(copied_model: Path, content: bytes) -> None:
    (copied_model / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"model: no readable config\.json \("):
        check_whole(copied_model)


def test_samples_that_the_model_has_no_positions_for_are_refused(model_folder: Path) -> None:
    config = read_config(model_folder)
    limit = positions(config)
    assert limit and stated_positions(model_folder) == limit
    check_positions(limit, "base", limit, "corpora.max_tokens")
    with pytest.raises(
        ModelError, match=rf"{limit + 1} tokens \(corpora\.max_tokens\): model 'base' has positions"
    ):
        check_positions(limit, "base", limit + 1, "corpora.max_tokens")


@pytest.mark.parametrize("family", FAMILIES)
def test_positions_are_those_of_the_configuration(tmp_path: Path, family: str) -> None:
    build_model(family).config.save_pretrained(tmp_path)
    assert stated_positions(tmp_path) == positions(read_config(tmp_path))


def test_experts_have_no_neurons_in_the_residual_stream_and_other_models_no_router(make_model: Any) -> None:
    experts, dense = make_model("olmoe").config, make_model("llama").config
    check_experts(experts, "base", {"site": "intermediate", "router": "uniform"})
    check_experts(dense, "base", {"site": "residual_write"})
    with pytest.raises(ModelError, match=r"site residual_write: the outputs of the experts of model 'base'"):
        check_experts(experts, "base", {"site": "residual_write"})
    with pytest.raises(ModelError, match=r"relevance\.router: model 'base' has no experts"):
        check_experts(dense, "base", {"site": "intermediate", "router": "constant"})
    with pytest.raises(
        ModelError, match="model 'base' has experts, of whose neurons these are not measured: energy; remove"
    ):
        check_experts(experts, "base", {"site": "intermediate"}, ["energy"])
    check_experts(dense, "base", {"site": "intermediate"}, ["energy"])
