"""pyproject.toml states the version; what repeats it, and the linters' versions, agree."""

import re
import tomllib

import yaml
from support.places import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def test_the_citation_file_has_the_version_and_its_date() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == VERSION
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", changelog, re.MULTILINE)
    assert releases[0] == (VERSION, citation["date-released"])


def test_the_hooks_have_the_versions_of_the_lock() -> None:
    lock = (ROOT / "envs" / "base.txt").read_text(encoding="utf-8").splitlines()
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    pins = {
        pin
        for repo in hooks["repos"]
        for hook in repo["hooks"]
        for pin in hook.get("additional_dependencies", [])
    }
    assert len(pins) == 2
    assert pins <= set(lock)
