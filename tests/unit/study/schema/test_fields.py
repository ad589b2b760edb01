"""Types of values that several sections share: paths."""

from typing import Any

import pytest
from crane.study.schema.fields import LocalPath
from pydantic import TypeAdapter
from support.study_config import REMOVE, changed, messages


def edits(path: str) -> dict[str, dict[str, Any]]:
    """Return dotted key -> edits that make it a path of the study."""
    files = dict.fromkeys(("en", "zh"), "data/texts.jsonl") | {"vi": path}
    model = {"label": "B", "source": "local", "layers": 3, "intermediate_size": 48, "path": path}
    masks = {"label": "L", "method": "import", "file": path, "languages": ["vi"]}
    return {
        "models.base.path": {"models__base": model},
        "corpora.files.vi": {"corpora__source": "local", "corpora__column": "text", "corpora__files": files},
        "open_questions.files.vi": {"open_questions__source": "local", "open_questions__files": files},
        "benchmarks.quiz_vi.data": {"benchmarks__quiz_vi__data": path},
        "mask_sets.theirs.file": {"mask_sets__theirs": masks},
    }


@pytest.mark.parametrize(
    "path", ["~", "~/data/x.jsonl", "~ana/x.jsonl", "$HOME/x.jsonl", "${DATA}/x.jsonl", "$DATA/*.txt"]
)
@pytest.mark.parametrize("key", edits(""))
def test_what_only_a_shell_expands_is_told(config: dict[str, Any], key: str, path: str) -> None:
    (line,) = messages(changed(config, published=REMOVE, **edits(path)[key]))
    assert line == f"  {key}: only a shell expands the beginning of {path!r}; write the whole path"


@pytest.mark.parametrize(
    "path", ["data/~x.jsonl", "a$b/x.jsonl", "./~/x.jsonl", "/home/ana/x.jsonl", "$/x.jsonl"]
)
def test_other_paths_are_taken_as_they_are(path: str) -> None:
    assert TypeAdapter(LocalPath).validate_python(path) == path
