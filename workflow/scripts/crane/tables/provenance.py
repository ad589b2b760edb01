"""Table of what a study's results were made with."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crane.tables.rendering import Table


def provenance_table(record: Mapping[str, Any]) -> Table:
    """Return models, versions and code of a study as a table.

    Args:
        record: of `crane.provenance.record.study_record`.
    """
    rows = pd.DataFrame(_facts(record), columns=["Subject", "Name", "Value"])
    cells = rows.set_axis(pd.MultiIndex.from_product([[""], rows.columns]), axis=1)
    notes = [
        "Read from the results; several values in a row: results of different versions stand beside each other."
    ]
    return Table(f"What the results of the study {record['study']} were made with.", rows, cells, notes)


def _facts(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the record as (subject, name, value) rows for the report: models, versions, code, number of files."""
    rows = [("study", "name", record["study"])]
    for name, manifest in record["models"].items():
        for key in ("repo", "revision", "source"):
            if manifest.get(key):
                rows.append((f"model {name}", key, str(manifest[key])))
        hashes = manifest.get("sha256")
        for file, digest in hashes.items() if isinstance(hashes, dict) else [("weights", hashes)]:
            if file == "weights" or file.endswith((".safetensors", ".bin")):
                rows.append((f"model {name}", f"sha256 of {file}", str(digest)))
    versions: dict[str, set[str]] = {}
    for facts in record["rules"].values():
        for one in facts["versions"]:
            for library, version in one.items():
                versions.setdefault(library, set()).add(version)
    rows += [("library", library, ", ".join(sorted(versions[library]))) for library in sorted(versions)]
    rows += [
        ("code of rule", rule, ", ".join(facts["code"])) for rule, facts in sorted(record["rules"].items())
    ]
    size = sum(file["bytes"] for file in record["files"].values())
    rows.append(("files", "hashed in provenance.json", f"{len(record['files'])} ({size / 1e6:.1f} MB)"))
    return rows
