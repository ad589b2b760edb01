"""Open questions rendered as tokenised prompts, once per model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.evaluation.chat import chat_text
from crane.evaluation.engine import Prompt
from crane.evaluation.prompts import PromptError
from crane.texts.special_tokens import special_tokens, text_tokens

STYLES = ("lape", "raw")
COLUMNS = ["language", "question_id", "question", "reference", "prompt", "ids", "stop", "tokens"]


def render_questions(
    questions: Mapping[str, Sequence[Mapping[str, Any]]],
    tokenizer: Any,
    *,
    context: int,
    suffix: Mapping[str, str],
    **how: Any,
) -> pd.DataFrame:
    """Return the tokenised open questions of all languages, one row per question.

    A special token that a question writes out is text.

    Args:
        questions: language -> questions, as from `crane.evaluation.question_files.read_open_questions`.
        tokenizer: the model's; prepends BOS to texts if it has one.
        context: tokens that the model can read, prompt and answer together.
        suffix: language -> text that asks for an answer in that language.
        **how: style, chat_template, template and date of `open_text`.

    Returns:
        language, question_id, question, reference (None without one), prompt, ids (int32), stop (list of strings),
        tokens. `attrs["special"]` counts the questions that write a special token.

    Raises:
        PromptError: a prompt leaves no room for an answer or lacks BOS, or see `open_text`.
        ChatError: see `open_text`.
    """
    rows: list[dict[str, Any]] = []
    specials, special = special_tokens(tokenizer), 0
    for language, asked in questions.items():
        for number, question in enumerate(asked):
            text, stop = open_text(question["question"], tokenizer, suffix=suffix[language], **how)
            writes = specials.search(question["question"]) is not None
            special += writes
            ids = _spelt(text, question["question"], tokenizer) if writes else tokenizer(text).input_ids
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
    rendered = pd.DataFrame(rows, columns=COLUMNS)
    rendered.attrs["special"] = special
    return rendered


def _spelt(text: str, question: str, tokenizer: Any) -> list[int]:
    """Return the tokens of a prompt; special tokens within the question are characters."""
    # Templates may cut spaces off.
    before, found, after = text.partition(question.strip())
    if not found:
        raise PromptError(f"the chat template changes the question {question!r}; set chat_template: false")
    return [
        *tokenizer(before).input_ids,
        *text_tokens(found, tokenizer),
        *tokenizer(after, add_special_tokens=False).input_ids,
    ]


def prompts(rendered: pd.DataFrame) -> list[Prompt]:
    """Return the rows of `render_questions`, as read from a file, for an engine."""
    return [
        Prompt(np.asarray(ids).tolist(), tuple(stop))
        for ids, stop in zip(rendered["ids"], rendered["stop"], strict=True)
    ]


def open_text(
    question: str,
    tokenizer: Any,
    *,
    style: str,
    suffix: str = "",
    chat_template: bool = False,
    template: Mapping[str, Any] | None = None,
    date: str | None = None,
) -> tuple[str, tuple[str, ...]]:
    r"""Return the prompt of an open question and the strings that end its answer (method, section 7).

    Args:
        question: the question.
        tokenizer: the model's.
        style: `lape`: "Q: {question}{suffix}\nA:", stopped at the next turn; `raw`: the question alone.
        suffix: asks for an answer in the language; `lape` only.
        chat_template: apply the tokenizer's chat template to the question (with the suffix, without Q and A).
        template: its arguments.
        date: the day that it may write, YYYY-MM-DD.

    Raises:
        PromptError: unknown style.
        ChatError: the chat template cannot be applied (`crane.evaluation.chat.chat_text`).
    """
    if style not in STYLES:
        raise PromptError(f"unknown prompt style {style!r}; known: {', '.join(STYLES)}")
    asked = question + suffix if style == "lape" else question
    if chat_template:
        return chat_text(asked, tokenizer, template, date), ()
    if style == "lape":
        return f"Q: {asked}\nA:", ("\nQ:", "\nA:")
    return asked, ()
