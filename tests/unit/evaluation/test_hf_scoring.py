"""Scores of choices and texts by the Hugging Face engine equal full forward passes, and no more is computed."""

import numpy as np
import pytest
import torch
from crane.evaluation.engine import EngineError, Question
from crane.evaluation.hf import HuggingFaceEngine
from crane.models.families import FAMILIES
from support.prompts import QUESTIONS


def test_log_likelihoods_equal_full_forwards_one_by_one(engine):
    samples = [engine.tokenizer(text).input_ids for text in [*QUESTIONS, "Who"]]
    found = engine.log_likelihoods(samples)
    assert len({len(ids) for ids in samples}) > 3
    for ids, own in zip(samples, found, strict=True):
        with torch.no_grad():
            logprobs = engine.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        wanted = sum(float(logprobs[place, token]) for place, token in enumerate(ids[1:]))
        assert own == pytest.approx(wanted, abs=1e-3)


def test_log_likelihoods_are_of_the_capped_logits(make_model, tokenizer, tmp_path):
    model = make_model("gemma2", vocabulary=len(tokenizer))
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    capped = HuggingFaceEngine(tmp_path / "model")
    ids = tokenizer(QUESTIONS[0]).input_ids
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    wanted = sum(float(logprobs[place, token]) for place, token in enumerate(ids[1:]))
    assert capped.log_likelihoods([ids]) == [pytest.approx(wanted, abs=1e-3)]


def test_a_text_longer_than_the_model_reads_is_refused(engine):
    with pytest.raises(EngineError, match=r"97 tokens is longer than the 96.*lower max_tokens"):
        engine.log_likelihoods([[0, 5], [0] * 97])


def by_hand(engine, context, choice):
    """Return the log-likelihood of a choice behind its context, by a full forward pass."""
    with torch.no_grad():
        logprobs = engine.model(torch.tensor([context + choice])).logits[0].double().log_softmax(-1)
    return sum(float(logprobs[len(context) - 1 + i, token]) for i, token in enumerate(choice))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_scores_of_choices_equal_full_forward_passes(make_model, tokenizer, tmp_path, family):
    make_model(family, seed=3, vocabulary=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    engine = HuggingFaceEngine(tmp_path, batch_tokens=150)
    contexts = [tokenizer(text).input_ids for text in QUESTIONS]
    questions = [
        Question([contexts[0]], [[10], [20], [30], [40]]),
        Question([contexts[1]], [[10, 11], [20], [30, 31, 32]]),
        Question(contexts[2:5], [[50], [50], [50]]),
        Question([contexts[5]], [[60], [61]]),
        Question([contexts[0] * 4], [[10, 11, 12], [20, 21, 22, 23, 24]]),  # longer than any window
        Question([contexts[2]], [[10, 11], [12, 13]]),
    ]
    scores = engine.score(questions)
    for question, found in zip(questions, scores, strict=True):
        wanted = [by_hand(engine, context, choice) for context, choice in question.pairs()]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_context_is_read_once_for_all_its_choices(engine):
    """Whether they are one token or several."""
    read = []
    embedding = engine.model.get_input_embeddings()
    handle = embedding.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].shape))
    context = engine.tokenizer(QUESTIONS[0]).input_ids
    try:
        engine.score([Question([context], [[10], [20], [30], [40]])])
        engine.score([Question([context], [[10, 11, 12], [20, 21, 22], [30, 31, 32]])])
    finally:
        handle.remove()
    assert read == [(1, len(context)), (1, len(context)), (3, 2)]


def test_the_logits_of_the_context_are_never_computed(engine, monkeypatch):
    head, sizes = engine.model.get_output_embeddings(), []
    handle = head.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[0]))
    contexts = [engine.tokenizer(text).input_ids for text in QUESTIONS]
    try:
        engine.score([Question([context], [[10], [20]]) for context in contexts])
    finally:
        handle.remove()
    assert sum(sizes) == len(contexts)


def test_out_of_memory_halves_the_batch_and_gives_the_same_scores(model_folder, monkeypatch, capsys):
    engine = HuggingFaceEngine(model_folder, batch_tokens=4096)
    questions = [Question([engine.tokenizer(text).input_ids], [[10], [20]]) for text in QUESTIONS]
    wanted, plain = engine.score(questions), engine._scorer._hidden

    def small(rows):
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(rows)

    monkeypatch.setattr(engine._scorer, "_hidden", small)
    np.testing.assert_allclose(engine.score(questions), wanted, atol=1e-5)
    assert "out of memory: batches of" in capsys.readouterr().out


def test_a_question_longer_than_the_model_reads_is_refused(engine):
    with pytest.raises(EngineError, match="97 tokens is longer than the 96"):
        engine.score([Question([[0] * 97], [[1], [2]])])
