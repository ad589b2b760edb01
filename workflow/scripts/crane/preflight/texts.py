"""Checks of the user's texts: corpora, open questions and benchmark files are read before a job is submitted."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from crane.downloads.transfer import check_url
from crane.errors import CraneError
from crane.evaluation.question_files import FIELDS, read_choice_questions, read_open_questions
from crane.names import OPEN_SUITE
from crane.preflight.checks import Named, PreflightError
from crane.study.study import Study
from crane.texts.blank import is_blank
from crane.texts.files import readable_files
from crane.texts.records import read_records, text_of

WHOLE = 16_000_000
"""Bytes of a language's files, in the order of their names, that are read whole."""
FIRST = 200
"""Records that are read of each file after those."""
LONGEST_HEAD = 20_000_000
"""Characters of documents after which the head of a file ends in any case."""


def texts(study: Study) -> list[Named]:
    """Return the checks of the texts that the study's own files hold."""
    return [*_corpora(study), *_open_questions(study), *_benchmarks(study), *_parallel(study)]


def _corpora(study: Study) -> Iterator[Named]:
    if study.config["corpora"]["source"] == "local":
        for language in study.languages:
            pattern = study.inputs.documents(language)
            yield f"corpora.{language}", partial(check_documents, pattern, study.inputs.column)


def check_documents(pattern: str, column: str) -> str:
    """Read a corpus: small files whole, of large ones the first documents; return what was read.

    Raises:
        TextError: a file, or one of the records read, cannot be used.
        PreflightError: there is no document.
    """
    files = readable_files(pattern)
    sizes = [path.stat().st_size for path in files]
    left, documents, heads = WHOLE, 0, 0
    for path, size in zip(files, sizes, strict=True):
        whole = size <= left
        left -= size if whole else 0
        heads += not whole
        characters = 0
        for record in islice(read_records(path, column, [column]), None if whole else FIRST):
            text = text_of(record, column) or ""
            documents += not is_blank(text)
            characters += len(text)
            if not whole and characters > LONGEST_HEAD:
                break
    if not documents:
        raise PreflightError(f"{pattern}: no documents; every record is empty")
    count = f"{len(files)} file{'s' * (len(files) > 1)}, {sum(sizes) / 1e6:,.1f} MB"
    large = f", of {heads} large file{'s' * (heads > 1)} only the beginning" if heads else ""
    return f"{count}; {documents:,} documents read{large}"


def _open_questions(study: Study) -> Iterator[Named]:
    if study.config.get("open_questions", {}).get("source") != "local":
        return
    with_references = study.judges.by_reference
    for language in study.languages:
        path = study.inputs.questions(language)
        check = partial(_check_open_questions, path, study.inputs.url(path), with_references)
        yield f"open_questions.files.{language}", check


def _check_open_questions(path: str, url: str, with_references: bool) -> str:
    if url and not Path(path).exists():
        return to_download(url)
    questions = read_open_questions(path, with_references=with_references)
    return f"{path}, {'downloaded, ' if url else ''}{len(questions)} questions"


def to_download(url: str) -> str:
    """Check that a file can be downloaded; return its address and size.

    Raises:
        DownloadError: it cannot.
    """
    size = check_url(url)
    return f"{url}, {'unknown size' if size is None else f'{size / 1e6:.2f} MB'} to download"


def _benchmarks(study: Study) -> Iterator[Named]:
    for name, benchmark in study.config.get("benchmarks", {}).items():
        if benchmark.get("data", "generated") != "generated":
            yield f"benchmarks.{name}.data", partial(_check_benchmark, study, name)


def _check_benchmark(study: Study, name: str) -> str:
    return f"{study.config['benchmarks'][name]['data']}, {_asked(study, name)} questions"


def _asked(study: Study, name: str) -> int:
    """Return the number of questions in a benchmark's own file."""
    settings = study.config["benchmarks"][name]
    fields = {key: settings[key] for key in FIELDS if key in settings}
    return len(read_choice_questions(settings["data"], settings["task"], fields))


def _parallel(study: Study) -> Iterator[Named]:
    """Yield the checks of the parallel suites that have files of their own; others are compared when scored."""
    for suite in study.config["scores"].get("parallel", ()):
        if suite in study.asked and _own_files(study, suite):
            yield f"scores.parallel.{suite}", partial(_check_parallel, study, suite)


def _check_parallel(study: Study, suite: str) -> str:
    """Compare the numbers of questions of a parallel suite, as far as its files are here."""
    try:
        counts = _numbers(study, suite)
    except CraneError:
        return "not compared: a file cannot be read"  # its own check says why
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise PreflightError(
            f"suite {suite!r} is declared parallel, but the numbers of its questions differ: {listed}; take it out of "
            "scores.parallel, or ask the same questions in all languages"
        )
    if not counts:
        return "no file to compare yet; compared when the answers are scored"
    return f"{next(iter(counts.values()))} questions in each of {len(counts)} files"


def _numbers(study: Study, suite: str) -> dict[str, int]:
    """Return the number of questions of each of a suite's benchmarks whose file is here."""
    own = _own_files(study, suite)
    if suite != OPEN_SUITE:
        return {name: _asked(study, name) for name in own}
    paths = {language: Path(study.inputs.questions(language)) for language in own}
    return {code: len(read_open_questions(path)) for code, path in paths.items() if path.exists()}


def _own_files(study: Study, suite: str) -> list[str]:
    """Return the benchmarks of a suite that have a file of their own, or the languages whose open questions do."""
    if suite == OPEN_SUITE:
        return study.languages if study.config["open_questions"]["source"] == "local" else []
    benchmarks = study.config["benchmarks"]
    return [
        name
        for name in study.config["suites"][suite]
        if benchmarks[name].get("data", "generated") != "generated"
    ]
