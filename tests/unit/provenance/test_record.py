"""The record of a study reads what the files say."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from crane.artefacts import ArtefactError
from crane.provenance.record import study_record
from support import provenance_record


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    return provenance_record.record(tmp_path)


def test_every_file_is_hashed_once(record: dict[str, Any], tmp_path: Path):
    assert len(record["files"]) == 4
    found = record["files"][(tmp_path / "table.csv").as_posix()]
    assert found == {"sha256": hashlib.sha256(b"a,b\n").hexdigest(), "bytes": 4}


def test_versions_are_those_of_the_artefacts(record: dict[str, Any]):
    assert record["rules"]["run"]["code"] == ["c1.0", "c2.0"]
    assert record["rules"]["ask"]["code"] == ["c9"]
    assert [one["torch"] for one in record["rules"]["run"]["versions"]] == ["1.0", "2.0"]


def test_models_are_identified_without_their_training(record: dict[str, Any]):
    assert record["models"]["base"] == {"sha256": "abc", "settings": {"steps": 3}}
    assert record["config"] == {"study": "s", "seed": 1} and json.dumps(record)


def test_a_model_without_a_manifest_is_named(tmp_path: Path):
    with pytest.raises(ArtefactError, match=r"no manifest\.json"):
        study_record("s", {}, [tmp_path], [], {})
