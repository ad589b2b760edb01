"""What the software does with inputs as people have them: the lines that it says, and when."""

import copy
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from crane.corpora.documents import read_documents
from crane.errors import CraneError
from crane.evaluation.open_questions import render_questions
from crane.evaluation.question_files import read_choice_questions, read_open_questions
from crane.models.folders import check_folder, link_folder
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons.imported import import_masks
from crane.preflight.checks import make
from crane.preflight.sources import judges, sources
from crane.study.check import check_files, drop_nulls
from crane.study.study import Study
from crane.study.yaml_files import surprises
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError

from support.study_config import GPT

SHAPE = {"layers": 3, "intermediate_size": 48}


class Outcome(NamedTuple):
    """What is said of an input."""

    lines: list[str]
    """None where it is read."""
    when: str = ""


def _refusal(read: Callable[[], Any]) -> str | None:
    try:
        read()
    except CraneError as error:
        return str(error)
    return None


def _base() -> dict[str, Any]:
    return copy.deepcopy(yaml.safe_load(Path("configs/base.yaml").read_text(encoding="utf-8")))


def _checked(config: dict[str, Any], check: str, *jobs: Callable[[], Any], path: Path) -> Outcome:
    """Return what preflight says of one input; every job that reads it must say the same."""
    named = [each for each in sources(Study(config)) if each[0] == check]
    (found,) = make(named)
    said = [_refusal(job) for job in jobs]
    assert said == [None if found.passed else found.text] * len(jobs), (found, said)
    return Outcome([], "") if found.passed else Outcome([_without_place(found.text, path)], "preflight")


def _without_place(message: str, path: Path) -> str:
    """Return a message without the file, and the line or row, that it must begin with."""
    rest = message.removeprefix(str(path))
    assert rest != message, message
    place, _, text = rest.partition(": ")
    assert place == "" or place.startswith((", line ", ", row ")), message
    return text


def _shown(texts: Iterable[str]) -> None:
    """Read texts, which hold no byte order mark and no end of a line of Windows."""
    assert all(not {"\ufeff", "\r"} & set(text) for text in texts)


def corpus(name: str) -> Outcome:
    """Read a corpus."""
    path, config = Path("corpora", name), _base()
    config["corpora"]["files"]["en"] = str(path)
    return _checked(config, "corpora.en", lambda: _shown(read_documents(str(path))), path=path)


def benchmark(name: str, form: str) -> Outcome:
    """Read the questions of a task, `choices` or `letters`."""
    path, config, task = Path("benchmarks", name), _base(), f"question_with_{form}"
    config["benchmarks"]["quiz_en"] |= {"data": str(path), "task": task}
    return _checked(config, "benchmarks.quiz_en.data", lambda: read_choice_questions(path, task), path=path)


def overlong(name: str) -> Outcome:
    """Render the questions of a benchmark for the model of the inputs."""
    from crane.evaluation.benchmarks import load
    from crane.evaluation.prompts import render_benchmark

    settings = _base()["benchmarks"]["quiz_en"] | {"data": f"benchmarks/{name}"}
    tasks = load("quiz_en", settings)
    said = _refusal(lambda: render_benchmark("quiz_en", tasks, {}, load_tokenizer(Path("models/good")), 96))
    return Outcome([said] if said else [], "job" if said else "")


def questions(name: str, judge: str) -> Outcome:
    """Read open questions, for an LLM or for the `reference` judge."""
    path, config = Path("questions", name), _base()
    config["open_questions"]["files"]["en"] = str(path)
    by_reference = judge == "reference"
    if not by_reference:
        config["judges"] = {"gpt": GPT}
    return _checked(
        config,
        "open_questions.files.en",
        lambda: _shown(each["question"] for each in read_open_questions(path, with_references=by_reference)),
        path=path,
    )


def masks(name: str) -> Outcome:
    """Read a file of masks, which has those of two languages."""
    path, config = Path("masks", name), _base()
    languages = ["en", "vi"]
    asked = config["open_questions"]
    for table in (config["languages"], config["corpora"]["files"], asked["files"], asked["suffix"]):
        del table["zh"]
    del config["benchmarks"], config["suites"]
    config["mask_sets"]["theirs"] = {
        "label": "T", "method": "import", "file": str(path), "languages": languages,
    }  # fmt: skip
    read = functools.partial(import_masks, path, languages, languages, **SHAPE)
    return _checked(config, "mask_sets.theirs.file", read, path=path)


def model(name: str, linked: Path) -> Outcome:
    """Check a model's folder, link it and load it."""
    path, config = Path("models", name), _base()
    config["models"]["base"]["path"] = str(path)
    jobs = [
        functools.partial(check_folder, path, "base", **SHAPE),
        functools.partial(load_model, path),
        functools.partial(link_folder, path, linked, "base", **SHAPE),
    ]
    outcome = _checked(config, "models.base", *jobs, path=path)
    assert linked.exists() == (not outcome.lines)
    return outcome


def configuration(name: str) -> Outcome:
    """Read a configuration as the Snakefile does, and then make preflight's checks of what does not need a network."""
    path = Path("configs", name)
    try:
        config = load_configfile(str(path))
        drop_nulls(config)
        check_files([path])
        study = Study(config)
    except WorkflowError as error:
        return Outcome([str(error)], "configuration")
    except CraneError as error:
        first, *lines = str(error).splitlines()
        assert first == "the configuration is wrong:"
        return Outcome([_from_key(line.strip()) for line in lines], "configuration")
    remote = {f"models.{name}" for name, model in config["models"].items() if model["source"] == "hub"}
    checks = make([named for named in [*sources(study), *judges(study)] if named[0] not in remote])
    failed = [f"{check.name}: {check.text}" for check in checks if not check.passed]
    return Outcome(failed, "preflight" if failed else "")


def _from_key(line: str) -> str:
    """Return a line without the file and the number of the line, which only some have."""
    place, _, text = line.partition(": ")
    return text if ".yaml, line " in place else line


def profile(path: Path) -> Outcome:
    """Read a profile."""
    return Outcome([_from_key(line) for line in surprises(path)], "configuration")


def context(name: str) -> Outcome:
    """Render the open questions of a study."""
    config = load_configfile(f"configs/{name}")
    assert configuration(name) == Outcome([])
    asked = config["open_questions"]
    texts = {language: read_open_questions(path) for language, path in asked["files"].items()}
    how = {key: asked[key] for key in ("context", "suffix", "style", "chat_template")}
    said = _refusal(lambda: render_questions(texts, load_tokenizer(Path("models/good")), **how))
    return Outcome([said] if said else [], "job" if said else "")
