"""The texts of the explorer: a part of each top sample, with the relevance of its tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

STEPS = 99
"""Relevances and values of a text are whole numbers up to this, in units of its largest one over it."""


def groups_of(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Join tokens that are parts of a character with the one that has it.

    Args:
        texts: of the T tokens, from `crane.texts.token_texts`.

    Returns:
        G texts, and int64 `[G]`, the first token of each.
    """
    ends = [place + 1 for place, text in enumerate(texts) if text] or [len(texts)]
    ends[-1] = len(texts)
    starts = [0, *ends[:-1]]
    joined = ["".join(texts[a:b]) for a, b in zip(starts, ends, strict=True)]
    return joined, np.array(starts, np.int64)


def window(relevance: np.ndarray, most: int) -> slice:
    """Return a part of at most so many pieces, around the one of largest absolute relevance."""
    middle = int(np.abs(relevance).argmax())
    start = max(0, min(middle - most // 2, len(relevance) - most))
    return slice(start, min(len(relevance), start + most))


def _steps(values: np.ndarray) -> tuple[float, list[int]]:
    """Return the largest absolute value, and values in `STEPS` of it."""
    largest = float(np.abs(values).max())
    steps = np.rint(values / largest * STEPS) if largest else np.zeros(len(values))
    return largest, steps.astype(int).tolist()


def example_data(
    examples: pd.DataFrame, texts: pd.DataFrame, numbers: Mapping[tuple[int, int], int], tokens: int
) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Return the examples of each neuron, and the texts that they are parts of.

    Args:
        examples: rows of `crane.relevance.examples.example_rows`.
        texts: language, sample_id and texts of the tokens.
        numbers: layer and neuron -> number of the neuron on the page.
        tokens: most pieces of a text.

    Returns:
        Per neuron, examples: text (its number), start (in the text's pieces), relevance and value of each piece in
        steps, and the largest of both. Then the texts: language, sample, start (of the part that is there) and pieces.
    """
    wholes = {(row.language, row.sample_id): groups_of(list(row.texts)) for row in texts.itertuples()}
    found: list[list[dict[str, Any]]] = [[] for _ in numbers]
    used: dict[tuple[str, int], list[int]] = {}
    for row in examples.sort_values(["language", "place"]).itertuples():
        number = numbers.get((row.layer, row.neuron))
        if number is None:
            continue
        key = (row.language, row.sample_id)
        starts = wholes[key][1]
        relevance = np.add.reduceat(row.token_relevance.astype(np.float64), starts)
        values = np.array(
            [part[np.abs(part).argmax()] for part in np.split(row.token_values, starts[1:])], np.float64
        )
        shown = window(relevance, tokens)
        reach = used.setdefault(key, [shown.start, shown.stop])
        reach[:] = min(reach[0], shown.start), max(reach[1], shown.stop)
        largest, steps = _steps(relevance[shown])
        highest, heights = _steps(values[shown])
        found[number].append(
            {
                "text": key, "total": float(row.relevance), "start": shown.start,
                "largest": largest, "relevance": steps, "highest": highest, "values": heights,
            }
        )  # fmt: skip
    order = {key: number for number, key in enumerate(used)}
    for example in (one for several in found for one in several):
        example["text"] = order[example["text"]]
    parts = [
        {"language": language, "sample": int(sample), "start": used[language, sample][0],
         "whole": len(wholes[language, sample][0]),
         "pieces": wholes[language, sample][0][slice(*used[language, sample])]}
        for language, sample in used
    ]  # fmt: skip
    return found, parts
