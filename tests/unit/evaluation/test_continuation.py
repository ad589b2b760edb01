"""Continuation questions: one true continuation among three of other passages, all of one length."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from crane.evaluation.continuation import render_continuations
from crane.evaluation.prompts import PromptError

ASKED = {"name": "go_on_en", "context_tokens": 6, "continuation_tokens": 3, "seed": 0}


def passages(count, seed=0):
    rng = np.random.default_rng(seed)
    rows = [[0, *rng.integers(1, 5000, 9).tolist()] for _ in range(count)]
    return pd.DataFrame(
        {"text_sha256": [hashlib.sha256(str(row).encode()).hexdigest() for row in rows], "input_ids": rows}
    )


def test_the_right_choice_is_the_passages_own_continuation():
    texts = passages(40)
    frame = render_continuations(texts, **ASKED)
    assert len(frame) == 40
    ends = {tuple(row[-3:]) for row in texts["input_ids"]}
    for row, ids in zip(frame.itertuples(), texts["input_ids"], strict=True):
        assert row.contexts[0].tolist() == ids[:-3]
        assert row.choices[row.target[0]].tolist() == ids[-3:]
        choices = {tuple(choice.tolist()) for choice in row.choices}
        assert len(choices) == 4 and choices <= ends


def test_every_place_is_the_right_one_about_equally_often():
    targets = render_continuations(passages(2000), **ASKED)["target"].str[0]
    counts = targets.value_counts()
    assert set(counts.index) == {0, 1, 2, 3} and counts.between(420, 580).all()


def test_questions_repeat_with_the_seed_and_differ_with_another():
    one, again = (render_continuations(passages(30), **ASKED)["doc_hash"].tolist() for _ in range(2))
    other = render_continuations(passages(30), **{**ASKED, "seed": 1})["doc_hash"].tolist()
    assert one == again and len(set(one) & set(other)) < 3


def test_too_few_passages_are_refused():
    with pytest.raises(PromptError, match="'go_on_en': 3 passages, 4 are needed"):
        render_continuations(passages(3), **ASKED)
