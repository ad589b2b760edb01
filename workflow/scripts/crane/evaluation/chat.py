"""A question as a turn of a chat, by the tokenizer's template and by nothing that the study does not say."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from jinja2 import TemplateError

from crane.errors import CraneError


class ChatError(CraneError, ValueError):
    """A tokenizer's chat template cannot make a prompt."""


def chat_text(
    question: str, tokenizer: Any, template: Mapping[str, Any] | None = None, day: str | None = None
) -> str:
    """Return the prompt that a tokenizer's chat template makes of a question, up to the assistant's turn.

    Args:
        question: the user's message.
        tokenizer: with the template.
        template: arguments of the template, such as `enable_thinking` (Qwen 3) or `date_string` (LLaMA 3).
        day: the date (YYYY-MM-DD) that a template gets where it asks for today's.

    Raises:
        ChatError: there is no template, it raises, or it asks for the date and `day` is not given.
    """
    if not tokenizer.chat_template:
        raise ChatError(
            "this model's tokenizer has no chat template; set open_questions.chat_template: false"
        )

    def now(form: str) -> str:
        """Stand in for the clock that transformers gives to templates."""
        if day is None:
            raise ChatError(
                "this model's chat template writes today's date into every prompt; set open_questions.date, so that "
                "prompts are the same on every day"
            )
        return date.fromisoformat(day).strftime(form)

    turns = [{"role": "user", "content": question}]
    arguments = {"strftime_now": now, **(template or {})}
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **arguments)
    except (TemplateError, TypeError) as error:
        raise ChatError(
            f"the chat template cannot be rendered ({error}); correct open_questions.template, or set "
            "open_questions.chat_template: false"
        ) from error
    # Some templates (LLaMA-2, LLaMA-3) write BOS themselves, and their tokenizers add another.
    if tokenizer.bos_token and tokenizer(text).input_ids[:2] == [tokenizer.bos_token_id] * 2:
        text = text.removeprefix(tokenizer.bos_token)
    return text
