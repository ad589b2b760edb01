"""From finished parts to the tables of a mask set: prompts joined to the model's results."""

import numpy as np
import pandas as pd

from crane.evaluation.thoughts import split_thoughts


def choices(prompts: pd.DataFrame, part: pd.DataFrame, dropped: int = 0) -> pd.DataFrame:
    """Return one row per question of a benchmark under one mask.

    Args:
        prompts: from `crane.evaluation.prompts.render_benchmark`.
        part: from `crane.evaluation.conditions.ask`.
        dropped: number of questions of the benchmark that were left out as too long.

    Returns:
        task, stratum, cluster, doc_id, doc_hash, dropped, correct (0 or 1: the most likely choice is right),
        probability (of the right choices among the choices), loglikelihoods (float32 list, in the order of the
        choices).
    """
    correct, probability = [], []
    for target, values in zip(prompts["target"], part["loglikelihoods"], strict=True):
        share = np.exp(np.asarray(values, np.float64) - max(values))
        correct.append(int(np.argmax(values) in target))
        probability.append(float(share[list(target)].sum() / share.sum()))
    return prompts[["task", "stratum", "cluster", "doc_id", "doc_hash"]].assign(
        dropped=dropped,
        correct=correct,
        probability=probability,
        loglikelihoods=part["loglikelihoods"].to_numpy(),
    )


def answers(prompts: pd.DataFrame, part: pd.DataFrame, dropped: int = 0) -> pd.DataFrame:
    """Return one row per open question under one mask: language, question_id, question, reference, prompt, output
    (without thoughts), thoughts (None without any), finish_reason.
    """
    asked = prompts[["language", "question_id", "question", "reference", "prompt"]]
    written = [split_thoughts(*pair) for pair in zip(prompts["prompt"], part["output"], strict=True)]
    return asked.assign(
        output=[answer.text for answer in written],
        thoughts=pd.Series([answer.thoughts for answer in written], dtype=object),
        finish_reason=part["finish_reason"].to_numpy(),
    )


def texts(prompts: pd.DataFrame, part: pd.DataFrame, dropped: int = 0) -> pd.DataFrame:
    """Return one row per held-out text under one mask: sample_id, text_sha256, tokens (predicted), log_likelihood."""
    return prompts[["sample_id", "text_sha256"]].assign(
        tokens=prompts["input_ids"].map(len) - 1, log_likelihood=part["log_likelihood"].to_numpy()
    )


TABLES = {"choices": choices, "open": answers, "texts": texts}
"""Kind of prompts -> function that joins prompts and part."""
