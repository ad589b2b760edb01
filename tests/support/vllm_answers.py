"""What the tests of the vLLM engine ask of an engine, of either kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from crane.evaluation.engine import Prompt, Question

TOLERANCE = 1e-4
"""Largest difference of log-likelihoods, in nats, between the engines in float32."""
TEXTS = [
    ("What is the capital of France?\nAnswer:", ()),
    ("Answer: A. Which city is", ()),
    ("Tokyo", ("e", "O")),
    ("B. Oslo\nC. Lima\nAnswer:", ()),
]


def prompts(engine: Any) -> list[Prompt]:
    """Return prompts of the texts, for an engine with its tokenizer."""
    return [Prompt(engine.tokenizer(text).input_ids, stop) for text, stop in TEXTS]


def score(engine: Any, questions: Sequence[Question]) -> np.ndarray:
    """Return the log-likelihoods of questions with as many choices each, float32 `[questions, choices]`."""
    return np.stack(engine.score(questions))
