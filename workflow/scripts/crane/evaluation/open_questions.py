"""Open questions: read from a file, and how one becomes a prompt."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_jsonl
from crane.errors import CraneError
from crane.evaluation.engine import Prompt

STYLES = ("lape", "raw")


class PromptError(CraneError, ValueError):
    """A question cannot be asked."""


def read_questions(path: str | Path) -> list[dict[str, Any]]:
    """Read open questions: a JSONL file of `question`, optionally `reference`; or a .txt file, one question a line.

    Raises:
        ArtefactError: a line is not a JSON object.
        PromptError: no question in the file, or a record whose `question` is missing, empty or not text.
    """
    path = Path(path)
    if path.suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise PromptError(f"{path}: not UTF-8 text ({error})") from error
        records = [{"question": line.strip()} for line in lines if line.strip()]
    else:
        records = read_jsonl(path)
    if not records:
        raise PromptError(
            f"{path}: no questions; one JSON object with 'question' a line is needed (.txt: one question a line)"
        )
    for number, record in enumerate(records, 1):
        question = record.get("question")
        if not (isinstance(question, str) and question.strip()):
            raise PromptError(f"{path}, record {number}: 'question' must be text, found {question!r}")
    return records


def open_question(question: str, style: str, suffix: str = "", tokenizer: Any = None) -> Prompt:
    r"""Return the prompt of an open question (method, section 7).

    Args:
        question: the question.
        style: `lape`: "Q: {question}{suffix}\nA:", stopped at the next turn; `raw`: the question alone.
        suffix: asks for an answer in the language; `lape` only.
        tokenizer: where given, its chat template is put around the question (with the suffix, without Q and A).

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
        # Templates that write BOS themselves (LLaMA-2, LLaMA-3) meet tokenizers that add one.
        if tokenizer.bos_token and tokenizer(text).input_ids[:2] == [tokenizer.bos_token_id] * 2:
            text = text.removeprefix(tokenizer.bos_token)
        return Prompt(text, ())
    if style == "lape":
        return Prompt(f"Q: {asked}\nA:", ("\nQ:", "\nA:"))
    return Prompt(asked, ())
