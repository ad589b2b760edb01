"""How an open question becomes a prompt."""

from typing import Any, NamedTuple

STYLES = ("lape", "raw")


class Prompt(NamedTuple):
    """A prompt and the strings that end its answer."""

    text: str
    stop: tuple[str, ...]


def open_question(question: str, style: str, suffix: str = "", tokenizer: Any = None) -> Prompt:
    r"""Return the prompt of an open question (method, section 7).

    Args:
        question: the question.
        style: `lape`: "Q: {question}{suffix}\nA:", stopped at the next turn; `raw`: the question alone.
        suffix: asks for an answer in the language; `lape` only.
        tokenizer: where given, its chat template is put around the question (with the suffix, without Q and A).

    Raises:
        ValueError: unknown style, or the tokenizer has no chat template.
    """
    if style not in STYLES:
        raise ValueError(f"unknown prompt style {style!r}; known: {', '.join(STYLES)}")
    asked = question + suffix if style == "lape" else question
    if tokenizer is not None:
        if not tokenizer.chat_template:
            raise ValueError("this model's tokenizer has no chat template; set chat_template: false")
        turns = [{"role": "user", "content": asked}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        # Templates that write BOS themselves (LLaMA-2, LLaMA-3) meet tokenizers that add one.
        if tokenizer.bos_token and tokenizer(text).input_ids[:2] == [tokenizer.bos_token_id] * 2:
            text = text.removeprefix(tokenizer.bos_token)
        return Prompt(text, ())
    if style == "lape":
        return Prompt(f"Q: {asked}\nA:", ("\nQ:", "\nA:"))
    return Prompt(asked, ())
