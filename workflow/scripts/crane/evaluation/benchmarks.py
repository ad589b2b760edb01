"""Multiple-choice benchmarks: their tasks as lm-evaluation-harness defines them, checked."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from crane.artefacts import write_jsonl
from crane.errors import CraneError
from crane.evaluation.question_files import FIELDS, read_choice_questions, shipped_tasks
from crane.names import TASKS
from crane.texts.decoding import TextError


class BenchmarkError(CraneError, ValueError):
    """A benchmark's questions cannot be used."""


def load(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Load a benchmark as lm-eval's task dictionary.

    Args:
        name: name of the benchmark, for messages.
        settings: `task`: an lm-eval task or group, or one of `TASKS`; `fewshot`: number of examples; `data`: optional
            file of questions (`read_choice_questions`) that replaces the task's data set; `dataset`: optional folder
            with a copy of the task's data set, in its own layout; `stratify_by`, `cluster_by`: as in
            `crane.evaluation.prompts`.

    Raises:
        BenchmarkError: unknown task, a file or data set that cannot be read, a question that breaks a rule of
            `read_choice_questions`, whose label is not one of its choices, or without the field that `stratify_by` or
            `cluster_by` names.
    """
    from datasets.exceptions import DatasetsError
    from lm_eval.tasks import TaskManager

    # lm-eval overrides a task's settings through a group file, for single tasks and groups alike.
    group: dict[str, Any] = {
        "group": f"crane_{name}",
        "task": [settings["task"]],
        "num_fewshot": settings["fewshot"],
    }
    with tempfile.TemporaryDirectory() as folder:
        if settings.get("data"):
            questions = _write(_own_questions(name, settings), Path(folder))
            if settings["task"] in shipped_tasks():
                group["dataset_path"] = questions.suffix.removeprefix(".")
            group["dataset_kwargs"] = {"data_files": {"test": str(questions)}, "cache_dir": folder}
        elif settings.get("dataset"):
            # In memory, because the temporary cache is deleted below.
            group["dataset_path"] = str(Path(settings["dataset"]).resolve())
            group["dataset_kwargs"] = {"cache_dir": folder, "keep_in_memory": True}
        Path(folder, "group.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
        manager = TaskManager(include_path=[str(TASKS), folder], include_defaults=False)
        if settings["task"] not in shipped_tasks():
            manager.task_index.update({**_lm_eval_index(), **manager.task_index})
        if settings["task"] not in manager.task_index:
            raise BenchmarkError(f"benchmark {name!r}: unknown lm-eval task {settings['task']!r}")
        try:
            tasks = manager.load(f"crane_{name}")
        except (OSError, ValueError, DatasetsError) as error:
            source = (
                settings.get("data") or settings.get("dataset") or f"the data of task {settings['task']!r}"
            )
            raise BenchmarkError(f"benchmark {name!r}: cannot read {source} ({error})") from error
    for task_name, task in tasks["tasks"].items():
        _check_labels(name, task_name, task)
        _check_fields(name, task_name, task, settings)
    return tasks


def _own_questions(name: str, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    fields = {setting: settings[setting] for setting in FIELDS if settings.get(setting)}
    try:
        return read_choice_questions(settings["data"], settings["task"], fields)
    except TextError as error:
        raise BenchmarkError(f"benchmark {name!r}: {error}") from error


def _write(questions: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """Write questions for `datasets`: as Parquet, because its reader of JSON takes a text like 1990-01-01 for a date.

    Fields of several types, which Parquet cannot hold, are left to that reader.
    """
    names = dict.fromkeys(name for question in questions for name in question)
    try:
        table = pa.table({name: pa.array([question.get(name) for question in questions]) for name in names})
    except (pa.ArrowException, OverflowError):
        path = folder / "questions.json"
        write_jsonl(questions, path)
    else:
        path = folder / "questions.parquet"
        pq.write_table(table, path)
    return path


@cache
def _lm_eval_index() -> dict[str, Any]:
    """Return the index of lm-eval's own tasks, which takes seconds to build."""
    from lm_eval.tasks import TaskManager

    return dict(TaskManager().task_index)


def _check_labels(benchmark: str, name: str, task: Any) -> None:
    for number, doc in enumerate(task.eval_docs):
        choices, label = task.doc_to_choice(doc), task.doc_to_target(doc)
        if len(set(choices)) != len(choices):
            raise BenchmarkError(f"benchmark {benchmark!r}, task {name!r}, question {number}: choices repeat")
        if not (isinstance(label, int) and 0 <= label < len(choices)) and label not in choices:
            raise BenchmarkError(
                f"benchmark {benchmark!r}, task {name!r}, question {number}: label {label!r} is none of its "
                f"{len(choices)} choices {choices!r}"
            )


def _check_fields(benchmark: str, name: str, task: Any, settings: Mapping[str, Any]) -> None:
    for setting in FIELDS:
        field = settings.get(setting)
        if not field:
            continue
        for number, doc in enumerate(task.eval_docs):
            if doc.get(field) is None:  # also a field that only other records of a JSONL file have
                fields = ", ".join(key for key, value in doc.items() if value is not None)
                raise BenchmarkError(
                    f"benchmark {benchmark!r}, task {name!r}, question {number}: no field {field!r} "
                    f"({setting}); there are: {fields}"
                )
