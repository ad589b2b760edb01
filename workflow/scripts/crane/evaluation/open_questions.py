"""Open questions rendered as tokenised prompts, once per model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.evaluation.engine import Prompt
from crane.evaluation.prompts import PromptError

STYLES = ("lape", "raw")
COLUMNS = ["language", "question_id", "question", "reference", "prompt", "ids", "stop", "tokens"]


def render_questions(
    questions: Mapping[str, Sequence[Mapping[str, Any]]],
    tokenizer: Any,
    *,
    style: str,
    suffix: Mapping[str, str],
    chat_template: bool,
    context: int,
) -> pd.DataFrame:
    """Return the tokenised open questions of all languages, one row per question.

    Args:
        questions: language -> questions, as from `crane.evaluation.question_files.read_open_questions`.
        tokenizer: the model's; prepends BOS to texts if it has one.
        style: see `open_text`.
        suffix: language -> text that asks for an answer in that language.
        chat_template: apply the tokenizer's chat template to the question.
        context: tokens that the model can read, prompt and answer together.

    Returns:
        language, question_id, question, reference (None without one), prompt, ids (int32), stop (list of strings),
        tokens.

    Raises:
        PromptError: a prompt leaves no room for an answer or lacks BOS, or see `open_text`.
    """
    rows: list[dict[str, Any]] = []
    for language, asked in questions.items():
        for number, question in enumerate(asked):
            template = tokenizer if chat_template else None
            text, stop = open_text(question["question"], style, suffix[language], template)
            ids = tokenizer(text).input_ids
            where = f"open question {number} in {language!r}"
            if tokenizer.bos_token_id is not None and ids[:1] != [tokenizer.bos_token_id]:
                raise PromptError(f"{where}: the prompt does not begin with BOS ({tokenizer.bos_token_id})")
            if len(ids) >= context:
                raise PromptError(
                    f"{where}: {len(ids)} tokens leave no room for an answer in {context}; shorten the question or "
                    "raise open_questions.context"
                )
            rows.append(
                {
                    "language": language, "question_id": number, "question": question["question"],
                    "reference": question.get("reference"), "prompt": text, "ids": np.array(ids, np.int32),
                    "stop": list(stop), "tokens": len(ids),
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def prompts(rendered: pd.DataFrame) -> list[Prompt]:
    """Return the rows of `render_questions`, as read from a file, for an engine."""
    return [
        Prompt(np.asarray(ids).tolist(), tuple(stop))
        for ids, stop in zip(rendered["ids"], rendered["stop"], strict=True)
    ]


def open_text(
    question: str, style: str, suffix: str = "", tokenizer: Any = None
) -> tuple[str, tuple[str, ...]]:
    r"""Return the prompt of an open question and the strings that end its answer (method, section 7).

    Args:
        question: the question.
        style: `lape`: "Q: {question}{suffix}\nA:", stopped at the next turn; `raw`: the question alone.
        suffix: asks for an answer in the language; `lape` only.
        tokenizer: if given, its chat template is applied to the question (with the suffix, without Q and A).

    Raises:
        PromptError: unknown style, or the tokenizer has no chat template.
    """
    if style not in STYLES:
        raise PromptError(f"unknown prompt style {style!r}; known: {', '.join(STYLES)}")
    asked = question + suffix if style == "lape" else question
    if tokenizer is not None:
        if not tokenizer.chat_template:
            raise PromptError(
                "this model's tokenizer has no chat template; set open_questions.chat_template: false"
            )
        turns = [{"role": "user", "content": asked}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        # Some templates (LLaMA-2, LLaMA-3) write BOS themselves, and their tokenizers add another.
        if tokenizer.bos_token and tokenizer(text).input_ids[:2] == [tokenizer.bos_token_id] * 2:
            text = text.removeprefix(tokenizer.bos_token)
        return text, ()
    if style == "lape":
        return f"Q: {asked}\nA:", ("\nQ:", "\nA:")
    return asked, ()
