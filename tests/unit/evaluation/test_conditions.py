"""Conditions: what is computed, what comes from the store, and what decides that."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from crane.evaluation.conditions import MaskSet, Prompts, evaluate
from crane.evaluation.engine import Generation
from crane.names import NO_MASK, ORIGINAL
from crane.neurons.changes import Step, composed
from crane.neurons.neuron_set import NeuronSet
from crane.parts import PartStore

FACTS = {"model": "m", "engine": "hf", "dtype": "float32", "code": "c"}
ANSWERING = {"max_new_tokens": 8, "repetition_penalty": 1.0, "context": 64}


class Recorder:
    """An engine that answers with what is in force, and remembers what it was asked."""

    def __init__(self):
        self.asked, self.mask, self.opened = [], "", 0

    def masked(self, neurons, language, **how):
        engine = self

        class Mask:
            def __enter__(self):
                engine.mask = f"{sorted(neurons[language])}{language}{sorted(how)}"

            def __exit__(self, *_):
                engine.mask = ""

        return Mask()

    def changed(self, change, site):
        return self.masked({site: change.deciding()["change"]}, site)

    def score(self, questions):
        self.asked.append((self.mask, "choices"))
        return [np.array([len(q.contexts[0]), hash(self.mask) % 97], np.float32) for q in questions]

    def generate(self, prompts, **settings):
        assert settings == ANSWERING
        self.asked.append((self.mask, "open"))
        return [Generation(f"{self.mask} {len(prompt.ids)}", "stop") for prompt in prompts]

    def log_likelihoods(self, samples):
        self.asked.append((self.mask, "texts"))
        return [-float(len(ids)) for ids in samples]

    def open(self):
        self.opened += 1
        return self


def choices(*lengths):
    return pd.DataFrame(
        {
            "contexts": [[np.arange(n, dtype=np.int32)] for n in lengths],
            "choices": [[np.array([1], np.int32), np.array([2], np.int32)] for _ in lengths],
            "tokens": [n + 1 for n in lengths],
        }
    )


@pytest.fixture
def prompts():
    asked = pd.DataFrame({"ids": [np.arange(3, dtype=np.int32)], "stop": [["\nQ:"]], "tokens": [3]})
    return {
        "quiz": Prompts("quiz", "choices", choices(4, 6), {}),
        "open": Prompts("open", "open", asked, ANSWERING),
        "texts": Prompts("texts", "texts", pd.DataFrame({"input_ids": [np.arange(9, dtype=np.int32)]}), {}),
    }


def neurons(seed=0, languages=("en", "vi")):
    return NeuronSet.from_flags(np.random.default_rng(seed).random((len(languages), 2, 16)) < 0.5, languages)


def mask_set(name, seed=0, asked=("quiz", "open", "texts"), **intervention):
    return MaskSet(name, neurons(seed), intervention, asked)


UNMASKED = MaskSet(ORIGINAL, None, {}, ("quiz", "open", "texts"))


def run(asking, store, prompts, sets, **facts):
    return dict(evaluate(sets, prompts, store, {**FACTS, **facts}, asking.open))


def test_every_mask_meets_every_prompt_once(prompts, tmp_path):
    engine, store = Recorder(), PartStore(tmp_path)
    receipts = run(engine, store, prompts, [UNMASKED, mask_set("a")])
    assert list(receipts) == [ORIGINAL, "a"]
    assert list(receipts[ORIGINAL]) == [NO_MASK]
    assert list(receipts["a"]) == ["en", "vi"]
    assert len(engine.asked) == len(set(engine.asked)) == 9
    assert engine.opened == 1
    assert [mask for mask, _ in engine.asked[:3]] == [""] * 3
    part = store.read(receipts["a"]["vi"]["quiz"])
    assert [values[0] for values in part["loglikelihoods"]] == [4, 6]
    assert store.read(receipts["a"]["vi"]["open"])["finish_reason"].tolist() == ["stop"]
    assert store.read(receipts["a"]["vi"]["texts"])["log_likelihood"].tolist() == [-9.0]


def test_what_is_finished_is_not_asked_again_and_no_engine_is_opened(prompts, tmp_path):
    store = PartStore(tmp_path)
    first = run(Recorder(), store, prompts, [UNMASKED, mask_set("a")])
    engine = Recorder()
    assert run(engine, store, prompts, [UNMASKED, mask_set("a")]) == first
    assert engine.opened == 0 and not engine.asked


def test_a_mask_set_added_computes_its_own_conditions_only(prompts, tmp_path):
    store = PartStore(tmp_path)
    run(Recorder(), store, prompts, [UNMASKED, mask_set("a")])
    engine = Recorder()
    run(engine, store, prompts, [mask_set("b", seed=1), UNMASKED, mask_set("a")])
    assert len(engine.asked) == 6


def test_an_interrupted_run_resumes_behind_the_last_finished_condition(prompts, tmp_path):
    class Killed(Recorder):
        def generate(self, asked, **settings):
            if self.mask.endswith("vi[]"):
                raise KeyboardInterrupt
            return super().generate(asked, **settings)

    store = PartStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(Killed(), store, prompts, [mask_set("a")])
    engine = Recorder()
    run(engine, store, prompts, [mask_set("a")])
    assert [kind for _, kind in engine.asked] == ["open", "texts"]


def test_equal_neurons_and_equal_prompts_are_computed_once_whatever_they_are_called(prompts, tmp_path):
    """A point of a sweep may be a mask set of the study, and two suites may name one task."""
    engine, store = Recorder(), PartStore(tmp_path)
    prompts = {"quiz": prompts["quiz"], "again": replace(prompts["quiz"], name="again")}
    sets = [mask_set(name, asked=("quiz", "again")) for name in ("a", "sweep-point")]
    receipts = run(engine, store, prompts, sets)
    assert len(engine.asked) == 2
    assert receipts["a"] == receipts["sweep-point"]
    assert receipts["a"]["en"]["quiz"] == receipts["a"]["en"]["again"]


CHANGES = {
    "engine": lambda p, s: (p, s, {"engine": "vllm"}),
    "dtype": lambda p, s: (p, s, {"dtype": "bfloat16"}),
    "code of the engine": lambda p, s: (p, s, {"code": "d"}),
    "model": lambda p, s: (p, s, {"model": "n"}),
    "version": lambda p, s: (p, s, {"transformers": "6"}),
    "prompts": lambda p, s: ({**p, "quiz": replace(p["quiz"], frame=choices(4, 7))}, s, {}),
    "neurons": lambda p, s: (p, s._replace(neurons=neurons(5)), {}),
    "scale": lambda p, s: (p, s._replace(intervention={"scale": 0.5}), {}),
    "values": lambda p, s: (p, s._replace(intervention={"values": np.full((2, 16), 0.3)}), {}),
    "values by position": lambda p, s: (p, s._replace(intervention={"values": np.full((5, 2, 16), 0.3)}), {}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_a_result_misses_the_store(prompts, tmp_path, change):
    store = PartStore(tmp_path)
    before = run(Recorder(), store, prompts, [mask_set("a", asked=("quiz",))])
    asked, changed, facts = CHANGES[change](prompts, mask_set("a", asked=("quiz",)))
    engine = Recorder()
    after = run(engine, store, asked, [changed], **facts)
    assert len(engine.asked) == 2
    assert not set(after["a"]["en"].values()) & set(before["a"]["en"].values())


def test_changes_have_masks_of_their_own(prompts, tmp_path):
    """The masks of steering are pairs of languages, each asked what belongs to it."""
    en, vi = (neurons()[language] for language in ("en", "vi"))
    pairs = {
        "en>vi": composed("gate", [Step(en, 0.0, 0.0), Step(vi, 1.0, 2.0)]),
        "vi>en": composed("gate", [Step(vi, 0.0, 0.0), Step(en, 1.0, 2.0)]),
    }
    asked = {"en>vi": ["quiz"], "vi>en": ["quiz", "texts"]}
    steered = MaskSet("steered", neurons(), {"changes": pairs}, asked)
    engine, store = Recorder(), PartStore(tmp_path)
    receipt = run(engine, store, prompts, [steered])["steered"]
    assert {pair: list(keys) for pair, keys in receipt.items()} == asked
    assert [kind for _, kind in engine.asked] == ["choices", "choices", "texts"]
    assert len({mask for mask, _ in engine.asked}) == 2
    assert receipt["en>vi"]["quiz"] != receipt["vi>en"]["quiz"]
    again = Recorder()
    run(again, store, prompts, [steered._replace(name="other")])
    assert not again.asked
    elsewhere = {name: change._replace(site="value") for name, change in pairs.items()}
    run(again, store, prompts, [steered._replace(intervention={"changes": elsewhere})])
    assert len(again.asked) == 3


def test_masks_and_older_interventions_keep_their_keys():
    """Of earlier versions; with others, finished studies would be computed anew."""
    one = NeuronSet({"en": {0: np.array([1, 3]), 1: np.array([0])}}, layers=2)
    neurons_of_one = {
        "neurons": hashlib.sha256(b"{'0': [1, 3], '1': [0]}").hexdigest(),
        "site": "intermediate",
    }
    values = np.arange(8.0).reshape(2, 4)
    fixed = {"values": hashlib.sha256(b"{'0': [1.0, 3.0], '1': [4.0]}").hexdigest()}
    for how, told in (({}, {"scale": 0.0}), ({"scale": 0.5}, {"scale": 0.5}), ({"values": values}, fixed)):
        assert MaskSet("a", one, how, ()).deciding("en") == neurons_of_one | told


def test_values_of_other_neurons_decide_nothing(prompts, tmp_path):
    store, chosen = PartStore(tmp_path), neurons()
    values = np.random.default_rng(0).random((2, 16))
    run(Recorder(), store, prompts, [mask_set("a", asked=("quiz",), values=values)])
    flags = np.zeros((2, 16), bool)
    for language in chosen:
        for layer, index in chosen[language].items():
            flags[layer, index] = True
    engine = Recorder()
    run(engine, store, prompts, [mask_set("a", asked=("quiz",), values=np.where(flags, values, -1.0))])
    assert not engine.asked


def test_answer_settings_decide_answers_only(prompts, tmp_path, monkeypatch):
    store = PartStore(tmp_path)
    run(Recorder(), store, prompts, [mask_set("a")])
    longer = {**ANSWERING, "max_new_tokens": 9}
    monkeypatch.setitem(globals(), "ANSWERING", longer)
    engine = Recorder()
    run(engine, store, {**prompts, "open": replace(prompts["open"], settings=longer)}, [mask_set("a")])
    assert [kind for _, kind in engine.asked] == ["open", "open"]


def test_progress_names_what_is_done_and_the_time_left(prompts, tmp_path, capsys):
    run(Recorder(), PartStore(tmp_path), prompts, [UNMASKED, mask_set("a")])
    lines = capsys.readouterr().out.splitlines()
    assert "a, mask vi: texts done; 9 of 9 conditions, 9 computed" in lines[-2]
    assert lines[-1] == "9 conditions, 9 computed, 0 from the store"


def test_the_longest_prompt_counts_its_answer(prompts):
    assert prompts["quiz"].longest() == 7
    assert prompts["open"].longest() == 3 + 8
    assert replace(prompts["open"], settings={**ANSWERING, "context": 10}).longest() == 10
    assert prompts["texts"].longest() == 9
