"""Values by position in every way that the engine reads: padded on either side, and behind a cache."""

import numpy as np
import pytest
import torch
from crane.evaluation.engine import Prompt, Question
from crane.evaluation.hf import HuggingFaceEngine
from crane.models.architectures import SITES, shape
from crane.neurons.neuron_set import NeuronSet
from support.prompts import QUESTIONS

# With position ids or only a mask, a decoder inside a wrapper, learned positions with an offset, soft-caps and windows.
FAMILIES = ["llama", "bloom", "gemma2", "gemma3", "gpt2", "gpt_neox", "opt", "xglm"]


def logprobs(engine, ids):
    """Return the log-probabilities `[T, V]` of one text, read alone and from its beginning."""
    with torch.no_grad():
        return engine.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)


def likelihood(engine, context, rest):
    found = logprobs(engine, context + rest)
    return sum(float(found[len(context) - 1 + i, token]) for i, token in enumerate(rest))


def greedy(engine, ids, count):
    for _ in range(count):
        ids = [*ids, int(logprobs(engine, ids)[-1].argmax())]
    return ids[-count:]


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_and_answers_are_those_of_texts_read_alone(make_model, tokenizer, tmp_path, family):
    make_model(family, seed=3, vocabulary=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    engine = HuggingFaceEngine(tmp_path, batch_tokens=150)
    contexts = [tokenizer(text).input_ids for text in QUESTIONS[:4]]
    assert len(set(map(len, contexts))) > 2
    questions = [
        Question([contexts[0]], [[10], [20]]),
        Question([contexts[1]], [[10, 11], [20], [30, 31, 32]]),
        Question(contexts[2:4], [[50, 51], [50]]),
    ]
    for site in SITES:
        layers, width = shape(engine.model, site)
        neurons = NeuronSet.from_flags(
            np.random.default_rng(0).random((1, layers, width)) < 0.3, ["en"], site
        )
        # Less positions than any prompt has, so that they go round.
        values = np.random.default_rng(1).normal(size=(5, layers, width))
        plain = engine.score(questions)
        with engine.masked(neurons, "en", values=values):
            scores = engine.score(questions)
            for question, found in zip(questions, scores, strict=True):
                wanted = [likelihood(engine, *pair) for pair in question.pairs()]
                np.testing.assert_allclose(found, wanted, atol=1e-3)
            wanted = [likelihood(engine, ids[:1], ids[1:]) for ids in contexts]
            np.testing.assert_allclose(engine.log_likelihoods(contexts), wanted, atol=1e-3)
            if site == "intermediate":
                answers = engine.generate([Prompt(ids, ()) for ids in contexts], max_new_tokens=5, context=96)
                for ids, answer in zip(contexts, answers, strict=True):
                    tokens = greedy(engine, ids, 5)
                    tokens = tokens[: tokens.index(1)] if 1 in tokens else tokens
                    assert answer.text == tokenizer.decode(tokens, skip_special_tokens=True).strip()
        assert any(np.abs(a - b).max() > 0.01 for a, b in zip(plain, scores, strict=True))
