"""The Hugging Face engine: batched answers equal single ones, and what cannot be asked is told."""

import logging
import re

import numpy as np
import pytest
import torch
from crane.evaluation.engine import EngineError, Generation, Prompt
from crane.evaluation.hf import HuggingFaceEngine
from crane.evaluation.open_questions import render_questions
from crane.models.architectures import shape
from crane.models.errors import ModelError
from crane.models.families import FAMILIES
from crane.neurons.neuron_set import NeuronSet
from support import stock_tokenizers
from support.prompts import QUESTIONS


@pytest.fixture
def own_engine(model_folder):
    """Return an engine whose weights a test may change."""
    return HuggingFaceEngine(model_folder)


def prompts(engine, *stop):
    return [Prompt(engine.tokenizer(text).input_ids, stop) for text in QUESTIONS]


def tokens_of(engine, text, count):
    """Greedy continuation, one full forward per token."""
    ids = engine.tokenizer(text).input_ids
    start = len(ids)
    with torch.no_grad():
        for _ in range(count):
            ids.append(int(engine.model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[start:]


@pytest.fixture
def settings():
    return {"max_new_tokens": 12, "context": 96}


@pytest.mark.parametrize("penalty", [1.0, 1.1])
def test_batched_equals_one_by_one(engine, settings, penalty):
    batched = engine.generate(prompts(engine), repetition_penalty=penalty, **settings)
    single = [engine.generate([p], repetition_penalty=penalty, **settings)[0] for p in prompts(engine)]
    assert batched == single
    assert len({answer.text for answer in batched}) > 3


def test_answers_are_greedy_and_in_the_order_of_the_prompts(engine, settings):
    for text, answer in zip(QUESTIONS, engine.generate(prompts(engine), **settings), strict=True):
        tokens = tokens_of(engine, text, 12)
        if engine.tokenizer.eos_token_id in tokens:
            tokens = tokens[: tokens.index(engine.tokenizer.eos_token_id)]
        assert answer.text == engine.tokenizer.decode(tokens, skip_special_tokens=True).strip()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_answers(make_model, tokenizer, tmp_path, caplog, family):
    """With a cache of keys and values, windows shorter than the prompt and a mask; cut to the text model's limit."""
    make_model(family, seed=3, vocabulary=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    engine = HuggingFaceEngine(tmp_path, batch_tokens=80)
    masks = NeuronSet.from_flags(np.random.default_rng(0).random((1, *shape(engine.model))) < 0.3, ["en"])
    with caplog.at_level(logging.WARNING):
        plain = engine.generate(prompts(engine), max_new_tokens=6, context=8192)
    assert ("8192 exceeds the model's own 96" in caplog.text) == (family != "bloom")
    with engine.masked(masks, "en"):
        answers = engine.generate(prompts(engine), max_new_tokens=6, context=96)
        for text, answer in zip(QUESTIONS, answers, strict=True):
            tokens = tokens_of(engine, text, 6)
            tokens = tokens[: tokens.index(1)] if 1 in tokens else tokens
            assert answer.text == engine.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    assert answers != plain
    assert engine.limit == (96 if family != "bloom" else None)  # its attention has no positions


def test_the_penalty_counts(engine, settings):
    assert engine.generate(prompts(engine), repetition_penalty=1.5, **settings) != engine.generate(
        prompts(engine), **settings
    )


def test_the_token_limit_is_a_length_finish(engine, settings):
    for text, answer in zip(QUESTIONS, engine.generate(prompts(engine), **settings), strict=True):
        ended = engine.tokenizer.eos_token_id in tokens_of(engine, text, 12)
        assert answer.finish_reason == ("stop" if ended else "length")


def test_stop_strings_cut_the_answer(engine, settings):
    plain = engine.generate(prompts(engine), **settings)
    found = (re.search(r"(?<=.{3})\w\w", answer.text) for answer in plain)
    stop = next(match[0] for match in found if match)
    for before, after in zip(plain, engine.generate(prompts(engine, stop), **settings), strict=True):
        if stop in before.text:
            assert after == Generation(before.text[: before.text.index(stop)].strip(), "stop")
        else:
            assert after == before


def test_the_end_of_sequence_is_a_stop(own_engine, settings):
    engine, (prompt, *_) = own_engine, prompts(own_engine)
    tokens = tokens_of(engine, QUESTIONS[0], 12)
    at = next(i for i in range(1, 12) if tokens[i] not in tokens[:i])
    head, eos = engine.model.lm_head.weight.data, engine.tokenizer.eos_token_id
    head[[tokens[at], eos]] = head[[eos, tokens[at]]].clone()
    assert engine.generate([prompt], **settings) == [
        Generation(engine.tokenizer.decode(tokens[:at]).strip(), "stop")
    ]
    # In a batch the ended answer is filled up with padding, which must not be seen.
    assert (
        engine.generate(prompts(engine), **settings)[0].text == engine.tokenizer.decode(tokens[:at]).strip()
    )


def test_special_tokens_are_left_out(own_engine, settings):
    head, tokenizer = own_engine.model.lm_head.weight.data, own_engine.tokenizer
    first = tokens_of(own_engine, QUESTIONS[0], 1)[0]
    head[[first, tokenizer.bos_token_id]] = head[[tokenizer.bos_token_id, first]].clone()
    assert tokens_of(own_engine, QUESTIONS[0], 1) == [tokenizer.bos_token_id]
    (answer,) = own_engine.generate(prompts(own_engine)[:1], **settings)
    assert "<s>" not in answer.text


def test_the_context_is_cut_to_the_models_own(own_engine, caplog):
    tokenizer, model = own_engine.tokenizer, own_engine.model
    model.lm_head.weight.data[[0, 1, 2]] = 0  # never ends, and says nothing that is stripped
    asked = []
    plain = model.generate
    model.generate = lambda ids, **options: asked.append(plain(ids, **options)) or asked[-1]
    with caplog.at_level(logging.WARNING):
        (answer,) = own_engine.generate(prompts(own_engine)[:1], max_new_tokens=500, context=8192)
    assert "context 8192 exceeds the model's own 96" in caplog.text
    assert asked[0].shape == (1, 96)
    prompt = len(tokenizer(QUESTIONS[0]).input_ids)
    assert answer == Generation(tokenizer.decode(asked[0][0, prompt:]).strip(), "length")


def test_no_warning_within_the_context(engine, caplog):
    engine.generate(prompts(engine)[:1], max_new_tokens=2, context=96)
    assert "exceeds the model's own" not in caplog.text


def test_a_prompt_without_room_is_refused(engine):
    size = len(engine.tokenizer(QUESTIONS[0]).input_ids)
    with pytest.raises(
        EngineError, match=rf"a prompt of {size} tokens leaves no room in a context of {size}"
    ):
        engine.generate(prompts(engine), max_new_tokens=2, context=size)


def test_no_prompts_get_no_answers(engine, settings):
    assert engine.generate([], **settings) == []


def test_masks_change_answers_and_go(engine, settings):
    flags = np.random.default_rng(0).random((1, 3, 48)) < 0.5
    before = engine.generate(prompts(engine), **settings)
    with engine.masked(NeuronSet.from_flags(flags, ["en"]), "en"):
        assert engine.generate(prompts(engine), **settings) != before
    assert engine.generate(prompts(engine), **settings) == before


def test_samples_and_prompts_begin_alike_with_gpt2_as_published(make_model, tmp_path):
    """Its tokenizer has a BOS that it does not add by itself."""
    size = stock_tokenizers.write("gpt2", tmp_path)
    make_model("gpt2", seed=3, vocabulary=size).save_pretrained(tmp_path)
    engine, text = HuggingFaceEngine(tmp_path), stock_tokenizers.TEXTS[0]
    bos = engine.tokenizer.bos_token_id
    sample = engine.tokenizer(text).input_ids[:90]
    assert sample[0] == bos and bos not in sample[1:]
    asked = {"style": "raw", "suffix": {"en": ""}, "chat_template": False, "context": 90}
    rendered = render_questions({"en": [{"question": text}]}, engine.tokenizer, **asked)
    assert rendered["ids"][0].tolist() == sample


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(ModelError, match="nothing: no such model folder"):
        HuggingFaceEngine(tmp_path / "nothing")


def test_a_folder_without_tokenizer_is_told(copied_model):
    for path in copied_model.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match=r"no tokenizer \(tokenizer\.json.*save it beside the weights"):
        HuggingFaceEngine(copied_model)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_unequal_lengths_share_a_batch_and_answer_as_one_by_one(make_model, tokenizer, tmp_path, family):
    """Padding on the left is not attended to, moves no position and is not penalised."""
    make_model(family, seed=3, vocabulary=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    engine = HuggingFaceEngine(tmp_path, batch_tokens=10_000)
    engine.tokenizer.pad_token = engine.tokenizer.eos_token
    settings = {"max_new_tokens": 8, "repetition_penalty": 1.3, "context": 96}
    asked = prompts(engine)
    assert len({len(prompt.ids) for prompt in asked}) > 3
    batched = engine.generate(asked, **settings)
    assert batched == [engine.generate([prompt], **settings)[0] for prompt in asked]


def test_a_long_prompt_gets_the_room_that_is_left(engine):
    long = Prompt(engine.tokenizer(QUESTIONS[0] * 6).input_ids[:90], ())
    short = prompts(engine)[2]
    batched = engine.generate([long, short], max_new_tokens=30, context=96)
    assert batched == [engine.generate([p], max_new_tokens=30, context=96)[0] for p in (long, short)]
    assert len(engine.tokenizer(batched[0].text).input_ids) < 10
