"""Packages with a method of their own, installed into a folder as pip does."""

import re
from pathlib import Path

from support.places import ROOT

NAME, MODULE = "loudest", "crane_loudest"


def example() -> str:
    """Return the method that CONTRIBUTING.md shows."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Add a selection method")[1]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


def install(folder: Path, source: str, *, name: str = NAME, module: str = MODULE) -> Path:
    """Write a module and the metadata of its distribution; return the module's file."""
    path = folder / f"{module}.py"
    path.write_text(source, encoding="utf-8")
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[crane.methods]\n{name} = {module}\n")
    return path
