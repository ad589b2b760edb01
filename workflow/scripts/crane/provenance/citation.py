"""BibTeX from a CITATION.cff (Citation File Format 1.2): the paper, this software, and the methods that both use."""

import re
from collections.abc import Mapping
from typing import Any

ENTRY_TYPES = {"article": "article", "software": "software", "conference-paper": "inproceedings"}


def _author(person: Mapping[str, str]) -> str:
    if "family-names" in person:
        return ", ".join(part for part in (person["family-names"], person.get("given-names")) if part)
    return "others" if person["name"] == "et al." else "{" + person["name"] + "}"


def _entry(work: Mapping[str, Any], used: set[str], fallback: str) -> str:
    first = work["authors"][0]
    stem = re.sub(r"\W", "", first.get("family-names", fallback)).lower() + str(work.get("year", ""))
    key, number = stem, 2
    while key in used:
        key, number = f"{stem}-{number}", number + 1
    used.add(key)
    fields = {
        "title": "{" + work["title"] + "}",
        "author": " and ".join(map(_author, work["authors"])),
        **{name: str(work[name]) for name in ("journal", "year", "version", "doi", "url") if work.get(name)},
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{ENTRY_TYPES.get(work.get('type', ''), 'misc')}{{{key},\n{body}}}\n"


def bibtex(cff: Mapping[str, Any]) -> str:
    """Return the entries: the preferred citation, the software itself, the references.

    Args:
        cff: the parsed file.
    """
    used: set[str] = set()
    software = {key: cff[key] for key in ("title", "authors", "version", "doi", "url") if key in cff}
    software |= {"type": "software", "url": cff.get("repository-code", cff.get("url"))}
    entries = [cff["preferred-citation"], software, *cff.get("references", [])]
    return "\n".join(_entry(entry, used, "crane-workflow") for entry in entries)
