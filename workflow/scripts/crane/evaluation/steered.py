"""What is asked of a steered model: answers in one language, known answers in two, and held-out texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.evaluation import collect
from crane.evaluation.conditions import MaskSet, Prompts, Receipt
from crane.names import NO_MASK
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.steering import Measured, steering
from crane.parts import PartStore
from crane.texts.blank import is_blank
from crane.texts.special_tokens import text_tokens
from crane.texts.unspaced import UNSPACED

Pairs = Sequence[tuple[str, str]]
"""Languages asked in and targets."""
KNOWN = ["question_id", "contexts", "choices", "tokens"]
COLUMNS = {
    "answers": ["mask_set", "asked", "target", "question_id", "output", "finish_reason"],
    "known": ["mask_set", "asked", "target", "question_id", "in_asked", "in_target"],
    "texts": ["mask_set", "asked", "target", "language", "sample_id", "tokens", "log_likelihood"],
}
"""Result -> its columns. The unmasked model has `NO_MASK` as target of its answers and texts."""


def mask_name(asked: str, target: str) -> str:
    """Return the name of the mask that steers from one language to another."""
    return f"{asked}>{target}"


def known_answers(rendered: pd.DataFrame, tokenizer: Any, asked: str, target: str) -> pd.DataFrame:
    """Return the questions of one language with their answers in it and in another as two choices.

    Question i of the one language is question i of the other. Left out are questions without a reference in either, and
    those whose references are the same tokens.

    Args:
        rendered: the open questions of `crane.evaluation.open_questions.render_questions`.
        tokenizer: the model's.
        asked: language of the questions.
        target: the other one.

    Returns:
        question_id, contexts (one), choices (the answer in the language asked in, and in the other), tokens.
    """
    spaced = rendered["prompt"].map(lambda prompt: not prompt[-1:].isspace())
    references = {}
    for language in (asked, target):
        of_language = rendered[rendered["language"] == language]
        references[language] = {
            number: reference
            for number, reference in zip(of_language["question_id"], of_language["reference"], strict=True)
            if isinstance(reference, str) and not is_blank(reference)
        }
    rows = []
    for place, row in rendered[rendered["language"] == asked].iterrows():
        number = row["question_id"]
        if not all(number in references[language] for language in (asked, target)):
            continue
        choices = [
            _answer(references[language][number].strip(), tokenizer, spaced[place])
            for language in (asked, target)
        ]
        if choices[0] != choices[1]:
            ids = np.asarray(row["ids"])
            rows.append([number, [ids], choices, len(ids) + max(map(len, choices))])
    return pd.DataFrame(rows, columns=KNOWN)


def _answer(text: str, tokenizer: Any, spaced: bool) -> list[int]:
    """Return the tokens of an answer behind its prompt: a space between them, but in scripts that have none."""
    return text_tokens(text if UNSPACED.match(text) or not spaced else f" {text}", tokenizer)


def prompts(
    rendered: pd.DataFrame,
    texts: Mapping[str, pd.DataFrame],
    tokenizer: Any,
    pairs: Pairs,
    *,
    answering: Mapping[str, Any],
    known: bool,
    documents: int,
) -> dict[str, Prompts]:
    """Return the files of prompts by name: `open`, `known` and `texts`, each with a colon and what it is of.

    Args:
        rendered: the open questions of all languages.
        texts: language -> its held-out texts.
        tokenizer: the model's.
        pairs: the pairs of languages.
        answering: settings of the answers.
        known: whether question i is the same in all languages.
        documents: texts per language.
    """
    found = {}
    for asked in dict.fromkeys(asked for asked, _ in pairs):
        of_language = rendered[rendered["language"] == asked].reset_index(drop=True)
        found[f"open:{asked}"] = Prompts(f"open:{asked}", "open", of_language, answering)
    for asked, target in pairs if known else ():
        name = f"known:{mask_name(asked, target)}"
        if len(frame := known_answers(rendered, tokenizer, asked, target)):
            found[name] = Prompts(name, "choices", frame, {})
    for language, frame in texts.items():
        name = f"texts:{language}"
        found[name] = Prompts(name, "texts", frame[:documents].reset_index(drop=True), {})
    return found


def unmasked(name: str, asked: Mapping[str, Prompts]) -> MaskSet:
    """Return the model as it is, asked everything."""
    return MaskSet(name, None, {}, list(asked))


def steered(
    name: str,
    neurons: NeuronSet,
    how: Mapping[str, Any],
    pairs: Pairs,
    measured: Measured,
    asked: Mapping[str, Prompts],
) -> MaskSet:
    """Return the masks of a mask set that steer, one per pair, with what is asked under each.

    Args:
        name: of the mask set.
        neurons: its neurons.
        how: `deactivate`, `activate` and `site`.
        pairs: the pairs of languages.
        measured: `crane.neurons.steering.measured_values`, if they are needed.
        asked: the prompts.
    """
    names = {mask_name(*pair): pair for pair in pairs}
    changes = {mask: steering(how, neurons, [one], other, measured) for mask, (one, other) in names.items()}
    texts = [each for each in asked if each.startswith("texts:")]
    wanted = {
        mask: [each for each in (f"open:{one}", f"known:{mask}") if each in asked] + texts
        for mask, (one, _) in names.items()
    }
    return MaskSet(name, neurons, {"changes": changes}, wanted)


def results(
    name: str, receipt: Receipt, asked: Mapping[str, Prompts], store: PartStore
) -> dict[str, pd.DataFrame]:
    """Return the results of a mask set by their kind, as `COLUMNS` names them.

    Args:
        name: of the mask set.
        receipt: of `crane.evaluation.conditions.evaluate`.
        asked: the prompts.
        store: of the parts.
    """
    frames: dict[str, list[pd.DataFrame]] = {kind: [] for kind in COLUMNS}
    for mask, keys in receipt.items():
        for prompts_name, key in keys.items():
            kind, _, of = prompts_name.partition(":")
            part, frame = store.read(key), asked[prompts_name].frame
            steered_from, _, to = (of if mask == NO_MASK else mask).partition(">")
            if kind == "known":
                likelihoods = np.stack(part["loglikelihoods"].to_list()).astype(np.float64)
                made = frame[["question_id"]].assign(in_asked=likelihoods[:, 0], in_target=likelihoods[:, 1])
            elif kind == "open":
                made = collect.answers(frame, part)
            else:
                made = collect.texts(frame, part).assign(language=of)
            target = to if mask != NO_MASK or kind == "known" else NO_MASK
            made = made.assign(mask_set=name, asked=steered_from, target=target)
            kind = "answers" if kind == "open" else kind
            frames[kind].append(made[COLUMNS[kind]])
    return {
        kind: pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS[kind])
        for kind, found in frames.items()
    }
