"""The name of a file that a study gives as a path or as a URL."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit


def file_name(file: str | Mapping[str, str]) -> str:
    """Return the name of a file given as a path or `{url, sha256}`, without folders, query and special characters."""
    if isinstance(file, str):
        return Path(file).name
    return re.sub(r"[^A-Za-z0-9._-]", "_", unquote(urlsplit(file["url"]).path).rsplit("/", 1)[-1])
