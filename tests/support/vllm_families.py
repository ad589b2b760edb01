"""A small random model of every family that vLLM runs, and what both engines make of it under masks, float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from crane.demo.tokenizer import train_tokenizer
from crane.evaluation.engine import EngineError, Generation, Prompt, Question
from crane.evaluation.hf import HuggingFaceEngine
from crane.evaluation.vllm_families import REFUSED
from crane.models.architectures import Site
from crane.models.configuration import read_config
from crane.models.families import FAMILIES, neurons_per_layer
from crane.names import NO_MASK
from crane.neurons.neuron_set import NeuronSet

from support.vllm_answers import TOLERANCE

LAYERS, INTERMEDIATE, HIDDEN = 3, 96, 64
NO_MASK_AGAIN = "no mask any more"
TEXTS = [
    "The capital of France is Paris.",
    "Which city is it, and what is asked here? " * 3,
    "Answer: A. Oslo",
]
BY_TRANSFORMERS = ("olmo2", "olmo3", "smollm3", "starcoder2", "gpt_neox")
"""Families without an implementation in vLLM, which runs that of transformers with its own layers."""
# Heads of 32, the narrowest for which vLLM has a kernel on CPUs; windows shorter than the texts.
_SHAPE = {
    "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_attention_heads": 2, "num_key_value_heads": 2,
    "head_dim": 32, "max_position_embeddings": 256,
}  # fmt: skip
_SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": HIDDEN, "n_inner": INTERMEDIATE, "n_head": 2, "n_positions": 256},
    "bloom": {"hidden_size": HIDDEN, "n_head": 2},
    "opt": {
        "hidden_size": HIDDEN, "ffn_dim": INTERMEDIATE, "num_attention_heads": 2, "max_position_embeddings": 256,
        "word_embed_proj_dim": 32,
    },
}  # fmt: skip
_TIED = {"tie_word_embeddings": True}  # as published; vLLM knows these families in no other form
_GEMMA = _TIED | {"query_pre_attn_scalar": 32, "sliding_window": 8}
# Phi-4-mini's: a part of each head rotates, by other factors in texts that are longer than those here.
_LONG_ROPE = {
    "rope_type": "longrope", "rope_theta": 500.0, "partial_rotary_factor": 0.75,
    "original_max_position_embeddings": 128, "short_factor": [1.0 + i / 8 for i in range(12)],
    "long_factor": [4.0 + i for i in range(12)],
}  # fmt: skip
_OWN: dict[str, dict[str, Any]] = {
    "gemma": _TIED, "gemma2": _GEMMA, "gemma3_text": _GEMMA, "gemma3": _GEMMA, "cohere": _TIED,
    "cohere2": _TIED, "bloom": _TIED, "opt": _TIED, "starcoder2": {"sliding_window": 8},
    "phi3": {"sliding_window": 8, "rope_parameters": _LONG_ROPE, "original_max_position_embeddings": 128},
}  # fmt: skip
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        family: (family, _OWN.get(family, {}))
        for family, names in FAMILIES.items()
        if family not in REFUSED and not names.experts
    },
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
    "qwen2.5": ("qwen2", _TIED),
}  # fmt: skip


class Results(NamedTuple):
    """What an engine makes of the texts."""

    logprobs: np.ndarray
    """Of three tokens after each text, and the mean of each text's own tokens, nats `[texts, 4]`."""
    answers: list[Generation]
    """Greedy ones to the texts, without a mask and under masks."""


@dataclass
class Both:
    """The two engines on one model."""

    wanted: dict[str, Results]
    """The results of the Hugging Face engine by condition."""
    engine: Any
    """The vLLM engine."""
    folder: Path


def results(engine: Any, folder: Path) -> Iterator[tuple[str, Results]]:
    """Yield an engine's results without a mask, under masks, scales and fixed values at both sites, and without."""
    yield NO_MASK, _results(engine)
    config, rng = read_config(folder), np.random.default_rng(0)
    sites: dict[Site, int] = {"intermediate": neurons_per_layer(config), "residual_write": HIDDEN}
    for site, width in sites.items():
        masks = NeuronSet.from_flags(rng.random((1, LAYERS, width)) < 0.25, ["en"], site)
        values = rng.normal(size=(LAYERS, width))
        interventions: dict[str, dict[str, Any]] = {
            "mask": {}, "scale": {"scale": 0.5}, "values": {"values": values}
        }  # fmt: skip
        for name, settings in interventions.items():
            with engine.masked(masks, "en", **settings):
                yield f"{name} at {site}", _results(engine, answers=not settings)
    yield NO_MASK_AGAIN, _results(engine, answers=False)


def _results(engine: Any, answers: bool = True) -> Results:
    samples = [engine.tokenizer(text).input_ids for text in TEXTS]
    scored = np.stack(engine.score([Question([ids], [[50], [100], [150]]) for ids in samples]))
    means = [
        total / (len(ids) - 1) for total, ids in zip(engine.log_likelihoods(samples), samples, strict=True)
    ]
    prompts = [Prompt(ids, ()) for ids in samples] if answers else []
    return Results(np.column_stack([scored, means]), engine.generate(prompts, max_new_tokens=6, context=120))


def difference(found: Results, wanted: Results) -> float:
    """Return the largest difference of log-probabilities, in nats."""
    return float(np.abs(found.logprobs - wanted.logprobs).max())


def build(variant: str, folder: Path, make_model: Callable[..., Any]) -> type:
    """Save a random model of a variant and its tokenizer; return the class of its decoder."""
    family, settings = VARIANTS[variant]
    tokenizer = train_tokenizer(TEXTS, 300)
    rows = len(tokenizer) + 20  # some to spare: Qwen2's class of tokenizers adds a token
    model = make_model(family, seed=5, vocabulary=rows, **_SHAPES.get(family, _SHAPE) | settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return type(model.base_model)


@contextmanager
def both_engines(variant: str, folder: Path, make_model: Callable[..., Any]) -> Iterator[Both]:
    """Yield the results of the Hugging Face engine and a vLLM engine, on a new random model."""
    from crane.evaluation.vllm import VllmEngine
    from vllm.distributed import cleanup_dist_env_and_memory
    from vllm.model_executor.models import registry

    decoder = build(variant, folder, make_model)
    # First and to the end, because vLLM changes the class of the decoder in this process.
    wanted = dict(results(HuggingFaceEngine(folder, dtype="float32"), folder))
    with pytest.MonkeyPatch.context() as patch, _as_it_was(decoder):
        patch.setenv("VLLM_CACHE_ROOT", str(folder.with_name(f"{folder.name}_cache")))
        # vLLM inspects the class of a model in a new process, so as not to start CUDA: half of the start on a CPU.
        patch.setattr(registry, "_run_in_subprocess", lambda function: function())
        both = Both(wanted, VllmEngine(folder, dtype="float32", batch_size=16), folder)
        yield both
        del both.engine  # before the next one starts: an engine ends the process groups of all
        cleanup_dist_env_and_memory()


@contextmanager
def _as_it_was(kind: type) -> Iterator[None]:
    """Give a class its attributes and bases back at the end: vLLM compiles the decoders of transformers in place."""
    bases, attributes = kind.__bases__, dict(vars(kind))
    try:
        yield
    finally:
        if kind.__bases__ != bases:
            kind.__bases__ = bases
        for name, value in dict(vars(kind)).items():
            if name not in attributes:
                delattr(kind, name)
            elif value is not attributes[name]:
                setattr(kind, name, attributes[name])


class EveryFamily:
    """The tests of a module with a fixture `both` of its families."""

    def test_log_likelihoods_and_greedy_answers_equal_hugging_face(self, both: Both) -> None:
        for name, found in results(both.engine, both.folder):
            wanted = both.wanted[name]
            assert difference(found, wanted) < TOLERANCE, name
            assert found.answers == wanted.answers, name

    def test_every_condition_matters(self, both: Both) -> None:
        without = both.wanted[NO_MASK]
        apart = {name: difference(under, without) for name, under in both.wanted.items()}
        assert [name for name, change in apart.items() if change < 0.01] == [NO_MASK, NO_MASK_AGAIN]

    def test_a_layer_that_ignores_its_mask_is_found(
        self, both: Both, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from crane.evaluation import vllm_check, vllm_worker

        def forget(self: Any, input_: Any) -> Any:
            forward = vllm_worker._forward if self.masked_layer == 1 else vllm_worker._forward_with_mask
            return forward(self, input_)

        vllm_check.check_each_layer(both.engine)
        monkeypatch.setattr(vllm_worker.RowParallelLinear, "forward", forget)
        with pytest.raises(EngineError, match="ignores the mask in layer 1"):
            vllm_check.check_each_layer(both.engine)
