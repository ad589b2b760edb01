"""Files of questions, read and validated: open questions, and multiple choice for this project's own tasks."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from crane.names import TASKS
from crane.texts.blank import is_blank
from crane.texts.decoding import TextError
from crane.texts.files import kind_of_file, single_file
from crane.texts.records import Record, read_records, refuse_surrogates, text_of, type_name

FIELDS = ("stratify_by", "cluster_by")
"""Settings of a benchmark that name a field of its questions."""


class QuestionError(TextError):
    """A question breaks a rule; the message names file and line."""


# Open questions -----------------------------------------------------------------------------------------


def read_open_questions(path: str | Path, *, with_references: bool = False) -> list[dict[str, Any]]:
    """Read open questions: records with `question` and optionally `reference`, or .txt with one question per line.

    Args:
        path: one file in any format of `crane.texts.endings`.
        with_references: every question needs a reference, as the reference judge does.

    Raises:
        TextError: the file cannot be read.
        QuestionError: it has no question, a question is missing, empty or not text, or a reference is.
    """
    file = single_file(path)
    lines_of_text = kind_of_file(file).format == "txt"
    questions = []
    for record in read_records(file, "question"):
        fields = dict(record.fields)
        if lines_of_text:
            fields["question"] = fields["question"].strip()
            if is_blank(fields["question"]):
                continue
        _require_text(record, "question")
        reference = text_of(record, "reference") if "reference" in fields else None
        if with_references and is_blank(reference):
            raise QuestionError(
                f"{record.where}: no 'reference', with which the reference judge compares the answer; add one to every "
                "question, or remove the judge (judges)"
            )
        questions.append(fields)
    if not questions:
        raise QuestionError(f"{file}: no questions; {_FORM_OF_OPEN}")
    return questions


_FORM_OF_OPEN = "expected one JSON object with 'question' per line (.txt: one question per line)"


def _require_text(record: Record, name: str) -> None:
    text = text_of(record, name)
    if is_blank(text):
        raise QuestionError(f"{record.where}: {name!r} is {'empty' if text is not None else 'null'}")


# Multiple choice ----------------------------------------------------------------------------------------


def read_choice_questions(
    path: str | Path, task: str, fields: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Read the questions of a benchmark.

    Those of this project's tasks have `question`, `choices` (a list of texts; in CSV and TSV a JSON list) and `answer`:
    the number of the right choice from 0 or, where the choices are letters, its letter, and otherwise its text. The
    records of other tasks are read as they are.

    Args:
        path: one file in any format of `crane.texts.endings`.
        task: the benchmark's task.
        fields: setting -> field that every question must have (`stratify_by`, `cluster_by`).

    Raises:
        TextError: the file cannot be read.
        QuestionError: it has no question, or one breaks a rule.
    """
    file = single_file(path)
    own = task in shipped_tasks()
    letters = _letters(task) if own else []
    questions = []
    kind = None
    as_numbers, doubtful = True, None
    for record in read_records(file, "question"):
        if own:
            record = _from_table(record)
            _check_choice_question(record, letters)
            answer = type(record.fields["answer"])
            if kind not in (None, answer):
                raise QuestionError(
                    f"{record.where}: 'answer' is {type_name(record.fields['answer'])}, unlike those before; give all "
                    "as numbers, or all as text"
                )
            kind = answer
            if answer is str and not letters:
                as_numbers &= _reads_as_number(record)
                if doubtful is None and as_numbers and not _names_one_choice(record):
                    doubtful = record
        _check_values(record)
        for setting, field in (fields or {}).items():
            if record.fields.get(field) is None:
                there = ", ".join(key for key, value in record.fields.items() if value is not None)
                raise QuestionError(f"{record.where}: no field {field!r} ({setting}); there are: {there}")
        questions.append(dict(record.fields))
    if not questions:
        raise QuestionError(f"{file}: no questions; expected one JSON object per line with {_FIELDS}")
    if as_numbers and doubtful is not None:
        raise QuestionError(
            f"{doubtful.where}: 'answer' {doubtful.fields['answer']!r} may be the number of a choice or its text, as "
            "may every answer of this file; write the number of the right choice, from 0, without quotes"
        )
    return questions


_FIELDS = "'question', 'choices' and 'answer'"


@cache
def shipped_tasks() -> frozenset[str]:
    """Return the names of this project's own tasks."""
    return frozenset(path.stem for path in TASKS.glob("*.yaml"))


@cache
def _letters(task: str) -> Sequence[str]:
    """Return the letters that stand for the choices of a task; none if the choices themselves are scored."""
    choices = yaml.safe_load((TASKS / f"{task}.yaml").read_text(encoding="utf-8"))["doc_to_choice"]
    return choices if isinstance(choices, list) else []


def _from_table(record: Record) -> Record:
    """Return a record whose choices are a list and whose answer is a number if a table holds them as text."""
    if kind_of_file(record.path).format not in ("csv", "tsv"):
        return record
    fields = dict(record.fields)
    choices, answer = fields.get("choices"), fields.get("answer")
    if isinstance(choices, str):
        try:
            fields["choices"] = json.loads(choices)
        except ValueError as error:
            example = '"[""Paris"", ""Rome""]"'
            raise QuestionError(f"{record.where}: 'choices' must be a JSON list, as in {example}") from error
    if isinstance(answer, str) and answer.isdecimal():
        fields["answer"] = int(answer)
        there = fields.get("choices")
        if isinstance(there, list) and answer in there and there.index(answer) != int(answer):
            raise QuestionError(
                f"{record.where}: 'answer' {answer} may be the number of a choice or its text; use JSON for this file"
            )
    return record._replace(fields=fields)


def _check_choice_question(record: Record, letters: Sequence[str]) -> None:
    for name in ("question", "choices", "answer"):
        if name not in record.fields:
            there = ", ".join(record.fields)
            raise QuestionError(f"{record.where}: no field {name!r}; there are: {there}")
    _require_text(record, "question")
    choices, answer = record.fields["choices"], record.fields["answer"]
    problem = _choices_problem(choices, letters) or _answer_problem(answer, choices, letters)
    if problem:
        raise QuestionError(f"{record.where}: {problem}")


def _choices_problem(choices: Any, letters: Sequence[str]) -> str:
    """Return what is wrong with the choices of a question; nothing if they can be asked."""
    if not isinstance(choices, list):
        return f"'choices' is {type_name(choices)}, not a list of texts"
    for number, choice in enumerate(choices):
        if not isinstance(choice, str):
            return f"choice {number} is {type_name(choice)}, not text; write it in quotes"
        if is_blank(choice):
            return f"choice {number} is empty"
    if letters and len(choices) != len(letters):
        return f"{len(choices)} choices, but the task asks for exactly {len(letters)} ({', '.join(letters)})"
    if len(choices) < 2:
        return f"{len(choices)} choice{'s' * (len(choices) != 1)}; at least two are needed"
    repeated = [choice for number, choice in enumerate(choices) if choice in choices[:number]]
    if repeated and not letters:
        return f"choices repeat ({repeated[0]!r})"
    return ""


def _answer_problem(answer: Any, choices: Any, letters: Sequence[str]) -> str:
    """Return what is wrong with the label of a question whose choices can be asked."""
    allowed = letters or choices
    last = len(choices) - 1
    form = f"a whole number from 0 to {last}, or {'a letter' if letters else 'the text of a choice'}"
    if isinstance(answer, str):
        if answer in allowed:
            return ""
        if answer.isdecimal() and int(answer) <= last:
            return f"'answer' {answer!r} is text; write the number without quotes"
        return f"'answer' {answer!r} is none of its {len(allowed)} choices {list(allowed)!r}; write {form}"
    if isinstance(answer, bool) or not isinstance(answer, int):
        hint = (
            f"write {int(answer)}" if isinstance(answer, float) and answer.is_integer() else f"write {form}"
        )
        return f"'answer' is {type_name(answer)}; {hint}"
    if not 0 <= answer <= last:
        return f"'answer' {answer} is none of its {len(choices)} choices; write {form}"
    return ""


def _reads_as_number(record: Record) -> bool:
    """Return whether an answer in text could as well be the number of a choice."""
    answer = record.fields["answer"]
    return answer.isdecimal() and int(answer) < len(record.fields["choices"])


def _names_one_choice(record: Record) -> bool:
    """Return whether an answer that reads as a number names the same choice as a number and as text."""
    answer = record.fields["answer"]
    return record.fields["choices"].index(answer) == int(answer)


def _check_values(record: Record) -> None:
    """Refuse values that JSON cannot hold, in which lm-eval's data sets are written, in any field at any depth."""
    waiting: list[tuple[str, Any]] = list(record.fields.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            refuse_surrogates(value, name, record.where)
        elif isinstance(value, list | Mapping):
            inner = value.values() if isinstance(value, Mapping) else value
            waiting += [(name, each) for each in inner]
        elif not isinstance(value, bool | int | float | None):
            raise QuestionError(f"{record.where}: {name!r} is {type_name(value)}; give it as text")
