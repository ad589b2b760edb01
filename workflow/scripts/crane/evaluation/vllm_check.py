"""The start-up check of the vLLM engine: masks work in every code path that the evaluations use.

Compiled graphs, prefill and decoding are different code; a path that ignored a mask would go unnoticed.
"""

import logging
from typing import Any, NamedTuple

import numpy as np
import torch

from crane.evaluation.engine import EngineError
from crane.neurons.neuron_set import NeuronSet

log = logging.getLogger(__name__)
PROBE = "The quick brown fox jumps over the lazy dog."
NEW_TOKENS = 4
CHANGE = 1e-3
"""Minimum change of the probe under a large mask, in nats."""


class Probe(NamedTuple):
    """The model's results for the probe."""

    prefill: np.ndarray
    """Log-probabilities of the prompt's tokens."""
    decoded: list[int]
    """Tokens generated greedily after it."""
    decode: np.ndarray
    """Their log-probabilities, from decoding."""
    again: np.ndarray
    """The same, from a prefill of prompt and tokens."""


def check_masks(engine: Any, tolerance: float) -> None:
    """Check that masks, scales and fixed values each change prefill and decoding at both sites, and that they end.

    Each layer's mask alone must change results too. Under each mask the log-probabilities of decoded tokens must equal
    those of a prefill of the same tokens: both paths see the same mask.

    Args:
        engine: a `VllmEngine`.
        tolerance: largest difference between two paths of the same model in its precision, in nats.

    Raises:
        EngineError: a mask is ignored; the message says where.
    """
    runner = engine.llm.collective_rpc("neuron_mask_runner")[0]
    log.info("vLLM: %s, %s", runner["runner"], "compiled graphs" if runner["compiled"] else "eager")
    if torch.cuda.is_available() and not runner["v2"]:
        log.warning(
            "vLLM runs %s: it converts penalties on the CPU in every step of decoding, about 10 ms for 210 answers",
            runner["runner"],
        )
    before = _probe(engine)
    _check_paths("no mask", before, tolerance)
    for site, width in engine.widths.items():
        half = np.arange(0, width, 2)
        large = NeuronSet(
            {"check": dict.fromkeys(range(engine.layers), half)}, layers=engine.layers, site=site
        )
        values = np.full((engine.layers, width), 1.0)
        seen = {"no mask": before.prefill}
        for name, how in (("mask", {}), ("scale", {"scale": 0.5}), ("values", {"values": values})):
            with engine.masked(large, "check", **how):
                during = _probe(engine)
            for other, prefill in seen.items():
                if np.abs(during.prefill - prefill).max() < CHANGE:
                    raise EngineError(
                        f"vLLM ignores the mask ({name} at {site}): log-probabilities are those of {other}"
                    )
            _check_paths(f"{name} at {site}", during, tolerance)
            seen[name] = during.prefill
    check_each_layer(engine)
    after = _probe(engine)
    if np.abs(after.prefill - before.prefill).max() > tolerance:
        raise EngineError(
            "vLLM keeps a mask after its end: log-probabilities do not return to those without a mask"
        )


def check_each_layer(engine: Any) -> None:
    """Check that a mask of one layer alone changes the log-probabilities of the probe's tokens, for every layer.

    Raises:
        EngineError: a layer ignores its mask.
    """
    width = engine.widths["intermediate"]
    half, values = np.arange(0, width, 2), np.full((engine.layers, width), 1.0)
    ids = _probe_ids(engine)
    before = _prefill(engine, ids)
    for layer in range(engine.layers):
        neurons = NeuronSet({"check": {layer: half}}, layers=engine.layers)
        with engine.masked(neurons, "check", values=values):
            during = _prefill(engine, ids)
        if np.abs(during - before).max() < CHANGE:
            raise EngineError(
                f"vLLM ignores the mask in layer {layer}: log-probabilities are those of no mask"
            )


def _probe_ids(engine: Any) -> list[int]:
    return engine.tokenizer(PROBE).input_ids[: engine.limit - NEW_TOKENS - 1]


def _prefill(engine: Any, ids: list[int]) -> np.ndarray:
    """Return the log-probabilities of the tokens after the first, computed at once."""
    from vllm import SamplingParams, TokensPrompt

    params = SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False)
    (output,) = engine.llm.generate([TokensPrompt(prompt_token_ids=ids)], params, use_tqdm=False)
    places = zip(ids[1:], output.prompt_logprobs[1:], strict=True)
    return np.array([float(place[token].logprob) for token, place in places])


def _probe(engine: Any) -> Probe:
    from vllm import SamplingParams, TokensPrompt

    ids = _probe_ids(engine)
    params = SamplingParams(
        temperature=0, max_tokens=NEW_TOKENS, logprobs=0, ignore_eos=True, detokenize=False
    )
    (output,) = engine.llm.generate([TokensPrompt(prompt_token_ids=ids)], params, use_tqdm=False)
    (answer,) = output.outputs
    tokens = list(answer.token_ids)
    decode = [float(place[token].logprob) for token, place in zip(tokens, answer.logprobs, strict=True)]
    prefill = _prefill(engine, [*ids, *tokens])
    return Probe(prefill[: len(ids) - 1], tokens, np.array(decode), prefill[len(ids) - 1 :])


def _check_paths(where: str, probe: Probe, tolerance: float) -> None:
    apart = float(np.abs(probe.decode - probe.again).max())
    if apart > tolerance:
        raise EngineError(
            f"vLLM's decoding and prefill differ by {apart:.4f} nats ({where}): a mask is ignored in one of them"
        )
