"""Thoughts that models write before their answers; they are kept, but not judged."""

from typing import NamedTuple

OPENING, CLOSING = "<think>", "</think>"
"""Marks of DeepSeek-R1, Qwen 3, SmolLM 3 and others. Some chat templates write the first one into the prompt."""


class Answer(NamedTuple):
    """What a model wrote, in two parts."""

    text: str
    """What is judged; empty if the token limit ended the answer within the thoughts."""
    thoughts: str | None
    """What came before, without the marks; None if there are no thoughts."""


def split_thoughts(prompt: str, output: str) -> Answer:
    """Return an answer without its thoughts, and the thoughts.

    Only thoughts at the beginning count, so that an answer that writes about the marks stays whole.
    """
    beginning = output.lstrip()
    if not beginning.startswith(OPENING) and not prompt.rstrip().endswith(OPENING):
        return Answer(output, None)
    thoughts, _, text = beginning.removeprefix(OPENING).partition(CLOSING)
    return Answer(text.strip(), thoughts.strip())
