"""Small copies of MMLU, C-Eval and Belebele in the layout of the data sets themselves."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from lm_eval import tasks as lm_eval_tasks

TASKS = Path(lm_eval_tasks.__file__).parent
LETTERS = "ABCD"
LANGUAGES = ("eng_Latn", "vie_Latn", "zho_Hans")


def subjects(folder: str, pattern: str) -> list[str]:
    """Return the configurations that lm-eval's own task files ask for."""

    def lines(path: Path) -> Iterator[str]:
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip('"') == "dataset_name":
                yield value.strip().strip('"')

    return sorted(name for path in (TASKS / folder).glob(pattern) for name in lines(path))


def _questions(part: str, split: str, count: int) -> list[str]:
    return [f"In {part} ({split}), which of these is number {i}?" for i in range(count)]


def write_mmlu(folder: Path, count: int = 2) -> list[str]:
    """cais/mmlu: Parquet by subject; question, subject, choices, answer (a number with the names A to D).

    `all` repeats the subjects, with a training split (the bulk of the data set), which is a part of its own as well.
    """
    found = subjects("mmlu/default", "mmlu_*.yaml")
    features = [
        {"name": "question", "dtype": "string"},
        {"name": "subject", "dtype": "string"},
        {"name": "choices", "sequence": "string"},
        {"name": "answer", "dtype": {"class_label": {"names": {str(i): x for i, x in enumerate(LETTERS)}}}},
    ]
    splits = {"test": count, "validation": 1, "dev": 5}
    for name in [*found, "all"]:
        for split, rows in splits.items():
            _parquet(
                folder / name / f"{split}-00000-of-00001.parquet",
                [
                    {
                        "question": q,
                        "subject": name,
                        "choices": ["one", "two", "three", "four"],
                        "answer": i % 4,
                    }
                    for i, q in enumerate(_questions(name, split, rows))
                ],
            )
    _card(
        folder,
        {n: {s: f"{n}/{s}-*" for s in splits} for n in found}
        # Not downloaded: what a card lists beyond the files that are there does no harm.
        | {"all": {s: f"all/{s}-*" for s in ("auxiliary_train", *splits)}}
        | {"auxiliary_train": {"train": "auxiliary_train/train-*"}},
        [{"config_name": n, "features": features} for n in [*found, "all"]],
    )
    return found


def write_ceval(folder: Path, count: int = 2) -> list[str]:
    """ceval/ceval-exam: Parquet by subject; id, question, A to D, answer (a letter), explanation."""
    found = subjects("ceval", "ceval-valid_*.yaml")
    splits = {"test": 1, "val": count, "dev": 5}
    for name in found:
        for split, rows in splits.items():
            _parquet(
                folder / name / f"{split}-00000-of-00001.parquet",
                [
                    {"id": i, "question": q, "A": "one", "B": "two", "C": "three", "D": "four",
                     "answer": "" if split == "test" else LETTERS[i % 4],
                     "explanation": "It is known." if split == "dev" else ""}
                    for i, q in enumerate(_questions(name, split, rows))
                ],
            )  # fmt: skip
    _card(folder, {n: {s: f"{n}/{s}-*" for s in splits} for n in found})
    return found


def write_belebele(folder: Path, count: int = 8, languages: Sequence[str] = LANGUAGES) -> None:
    """facebook/belebele: JSONL by language; two questions to a passage (`link`)."""
    for language in languages:
        records = [
            {"link": f"https://example.org/{i // 2}", "question_number": i % 2 + 1,
             "flores_passage": f"Passage {i // 2} in {language}.", "question": q,
             **{f"mc_answer{n + 1}": word for n, word in enumerate(["one", "two", "three", "four"])},
             "correct_answer_num": str(i % 4 + 1), "dialect": language, "ds": "2023-05-03"}
            for i, q in enumerate(_questions(language, "test", count))
        ]  # fmt: skip
        path = folder / "data" / f"{language}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(records).to_json(path, orient="records", lines=True, force_ascii=False)
    _card(folder, {language: {"test": f"data/{language}.jsonl"} for language in languages})


def _parquet(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(records).to_parquet(path)


def _card(
    folder: Path, configs: Mapping[str, Mapping[str, str]], info: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write README.md, which lists the configurations of a data set, as the hub's have it."""
    listed = [
        {"config_name": name, "data_files": [{"split": split, "path": path} for split, path in files.items()]}
        for name, files in configs.items()
    ]
    front = {"configs": listed, **({"dataset_info": list(info)} if info else {})}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(front)}---\n# Data set\n", encoding="utf-8")
