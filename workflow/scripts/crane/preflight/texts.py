"""Checks of the user's texts: corpora, open questions and benchmark files are read before a job is submitted."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from crane.downloads.transfer import check_url
from crane.evaluation.question_files import FIELDS, read_choice_questions, read_open_questions
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
    return [*_corpora(study), *_open_questions(study), *_benchmarks(study)]


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
    settings = study.config["benchmarks"][name]
    fields = {key: settings[key] for key in FIELDS if key in settings}
    questions = read_choice_questions(settings["data"], settings["task"], fields)
    return f"{settings['data']}, {len(questions)} questions"
