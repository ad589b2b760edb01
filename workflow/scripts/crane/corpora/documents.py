"""Documents of a language, read from local files."""

from collections.abc import Iterator

from crane.errors import CraneError
from crane.texts.files import readable_files
from crane.texts.records import read_records, text_of


class CorpusError(CraneError, ValueError):
    """A corpus does not give the samples that are asked of it."""


def read_documents(pattern: str, column: str = "text") -> Iterator[str]:
    """Yield the documents of all files that a path or glob means, in the order of their names.

    Text files hold one document per line; all other formats (`crane.texts.endings`) one per record, in `column`.

    Raises:
        TextError: no file matches, a file cannot be read, or a record has no text in `column`; the message names the
            file and the line.
    """
    for path in readable_files(pattern):
        for record in read_records(path, column, [column]):
            yield text_of(record, column) or ""
