"""What a steered model is asked, and how its answers come back."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.evaluation import steered
from crane.evaluation.conditions import evaluate
from crane.evaluation.engine import Generation
from crane.evaluation.open_questions import render_questions
from crane.names import NO_MASK, ORIGINAL
from crane.neurons.neuron_set import NeuronSet
from crane.parts import PartStore

ANSWERING = {"max_new_tokens": 4, "repetition_penalty": 1.0, "context": 96}
REFERENCES = {
    "en": ["Paris", "yen", "April", None],
    "zh": ["巴黎", "yen", " ", "x"],
    "vi": ["Pa ri", "dong", "thang", "y"],
}
PAIRS = [("en", "zh"), ("zh", "en"), ("en", "vi")]
HOW = {"deactivate": {"op": "zero"}, "activate": {"op": "add", "number": 2.0}, "site": "gate"}


@pytest.fixture(scope="module")
def rendered(tokenizer: Any) -> pd.DataFrame:
    asked = {
        language: [
            {"question": f"which {n} in {language}?", "reference": reference}
            for n, reference in enumerate(found)
        ]
        for language, found in REFERENCES.items()
    }
    return render_questions(
        asked, tokenizer, context=96, suffix=dict.fromkeys(REFERENCES, ""), style="lape", chat_template=False
    )


def test_known_answers_are_those_with_two_references(rendered: pd.DataFrame, tokenizer: Any) -> None:
    """Question 1 has the same answer in both languages, 2 a blank one, 3 none in English."""
    known = steered.known_answers(rendered, tokenizer, "en", "zh")
    assert known["question_id"].tolist() == [0]
    (context,), (own, other) = known["contexts"][0], known["choices"][0]
    question = rendered[(rendered["language"] == "en") & (rendered["question_id"] == 0)].iloc[0]
    assert context.tolist() == question["ids"].tolist()
    assert own == tokenizer(" Paris", add_special_tokens=False).input_ids
    assert other == tokenizer("巴黎", add_special_tokens=False).input_ids, "no space before Chinese"
    assert known["tokens"][0] == len(context) + max(len(own), len(other))
    back = steered.known_answers(rendered, tokenizer, "zh", "en")
    assert back["choices"][0] == [other, own]
    assert steered.known_answers(rendered, tokenizer, "en", "vi")["question_id"].tolist() == [0, 1, 2]


class Recorder:
    """An engine whose results name the change that is in force."""

    def __init__(self) -> None:
        self.change, self.asked = 0.0, 0

    def changed(self, change: Any, site: str) -> Any:
        engine = self

        class InForce:
            def __enter__(self) -> None:
                engine.change = float(sum(shift.sum() for shift in change.shifts.values()))

            def __exit__(self, *_: Any) -> None:
                engine.change = 0.0

        return InForce()

    def score(self, questions: Any) -> list[np.ndarray]:
        self.asked += 1
        return [np.array([-2.0, -3.0 + self.change], np.float32) for _ in questions]

    def generate(self, prompts: Any, **settings: Any) -> list[Generation]:
        assert settings == ANSWERING
        self.asked += 1
        return [Generation(f"<think>so</think> {self.change:g} {len(one.ids)}", "stop") for one in prompts]

    def log_likelihoods(self, samples: Any) -> list[float]:
        self.asked += 1
        return [-len(ids) - self.change for ids in samples]


@pytest.fixture(scope="module")
def asked(rendered: pd.DataFrame, tokenizer: Any) -> dict[str, Any]:
    texts = {
        language: pd.DataFrame(
            {
                "sample_id": range(3),
                "text_sha256": ["a", "b", "c"],
                "input_ids": [np.full(4, number, np.int32)] * 3,
            }
        )
        for number, language in enumerate(REFERENCES)
    }
    settings = {"answering": ANSWERING, "known": True, "documents": 2}
    return steered.prompts(rendered, texts, tokenizer, PAIRS, **settings)


def test_every_pair_is_asked_its_own_questions_and_all_texts(asked: dict[str, Any], tmp_path: Any) -> None:
    neurons = NeuronSet(
        {"en": {0: np.array([0])}, "zh": {0: np.array([1, 2])}, "vi": {1: np.array([0])}}, layers=2
    )
    sets = [
        steered.unmasked(ORIGINAL, asked),
        steered.steered("dispersion", neurons, HOW, PAIRS, {}, asked),
    ]
    engine, store = Recorder(), PartStore(tmp_path)
    found = {
        name: steered.results(name, receipt, asked, store)
        for name, receipt in evaluate(sets, asked, store, {}, lambda: engine)
    }
    assert engine.asked == (2 + 3 + 3) + 3 * (1 + 1 + 3)
    plain, moved = found[ORIGINAL], found["dispersion"]
    for kind, columns in steered.COLUMNS.items():
        assert plain[kind].columns.tolist() == moved[kind].columns.tolist() == columns
    assert set(plain["answers"]["target"]) == set(plain["texts"]["target"]) == {NO_MASK}
    assert set(zip(plain["known"]["asked"], plain["known"]["target"], strict=True)) == set(PAIRS)
    answers = moved["answers"].groupby(["asked", "target"])
    assert set(answers.groups) == set(PAIRS) and set(answers.size()) == {4}
    # 2 neurons of Chinese, one of each other language, and 2 added to each of the target's
    assert answers.get_group(("en", "zh"))["output"].str.startswith("4 ").all(), "thoughts are no answer"
    assert answers.get_group(("zh", "en"))["output"].str.startswith("2 ").all()
    known = moved["known"].set_index(["asked", "target"]).sort_index()
    assert known.loc[("zh", "en"), "in_target"].tolist() == [-1.0]
    assert known.loc[("en", "vi"), "in_asked"].tolist() == [-2.0] * 3
    texts = moved["texts"]
    assert len(texts) == 3 * 3 * 2 and set(texts["tokens"]) == {3} and set(texts["sample_id"]) == {0, 1}
    again = Recorder()
    dict(evaluate(sets, asked, store, {}, lambda: again))
    assert again.asked == 0, "finished conditions come from the store"


def test_questions_that_are_not_parallel_have_no_known_answers(
    rendered: pd.DataFrame, tokenizer: Any
) -> None:
    found = steered.prompts(rendered, {}, tokenizer, PAIRS, answering=ANSWERING, known=False, documents=0)
    assert set(found) == {"open:en", "open:zh"}
