"""The record of a study of two models and a few artefacts."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import write_json, write_table
from crane.provenance.record import study_record


def record(folder: Path) -> dict[str, Any]:
    """Return the record of a study whose files are made in `folder`: artefacts of two versions, and a table."""
    for name, manifest in {
        "base": {"sha256": "abc", "settings": {"steps": 3}, "losses": [1.0, 2.0]},
        "chat": {"source": "models/x", "sha256": {"model.safetensors": "def", "config.json": "ghi"}},
    }.items():
        (folder / name).mkdir()
        write_json(manifest, folder / name / "manifest.json")
    for number, version in enumerate(("1.0", "1.0", "2.0")):
        made_by = {
            "rule": "run",
            "params": {"code": f"c{version}"},
            "versions": {"torch": version, "numpy": "2"},
        }
        write_table(pd.DataFrame({"x": [number]}), folder / f"{number}.parquet", made_by)
    (folder / "table.csv").write_text("a,b\n")
    files = [*folder.glob("*.parquet"), folder / "table.csv", str(folder / "table.csv")]
    return study_record(
        "s", {"study": "s", "seed": 1}, [folder / "base", folder / "chat"], files, {"ask": "c9"}
    )
