"""The record of a study reads what the files say."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from crane.artefacts import ArtefactError, write_json, write_table
from crane.provenance.record import facts, study_record


@pytest.fixture
def record(tmp_path: Path) -> dict:
    for name, manifest in {
        "base": {"sha256": "abc", "settings": {"steps": 3}, "losses": [1.0, 2.0]},
        "chat": {"source": "models/x", "sha256": {"model.safetensors": "def", "config.json": "ghi"}},
    }.items():
        (tmp_path / name).mkdir()
        write_json(manifest, tmp_path / name / "manifest.json")
    for number, version in enumerate(("1.0", "1.0", "2.0")):
        about = {
            "rule": "run",
            "params": {"code": f"c{version}"},
            "versions": {"torch": version, "numpy": "2"},
        }
        write_table(pd.DataFrame({"x": [number]}), tmp_path / f"{number}.parquet", about)
    (tmp_path / "table.csv").write_text("a,b\n")
    files = [*tmp_path.glob("*.parquet"), tmp_path / "table.csv", str(tmp_path / "table.csv")]
    return study_record(
        "s", {"study": "s", "seed": 1}, [tmp_path / "base", tmp_path / "chat"], files, {"ask": "c9"}
    )


def test_every_file_is_hashed_once(record: dict, tmp_path: Path):
    assert len(record["files"]) == 4
    found = record["files"][(tmp_path / "table.csv").as_posix()]
    assert found == {"sha256": hashlib.sha256(b"a,b\n").hexdigest(), "bytes": 4}


def test_versions_are_those_of_the_artefacts(record: dict):
    assert record["rules"]["run"]["code"] == ["c1.0", "c2.0"]
    assert record["rules"]["ask"]["code"] == ["c9"]
    assert [one["torch"] for one in record["rules"]["run"]["versions"]] == ["1.0", "2.0"]
    rows = pd.DataFrame(facts(record), columns=["subject", "name", "value"]).set_index(["subject", "name"])[
        "value"
    ]
    assert rows["library", "torch"] == "1.0, 2.0" and rows["library", "numpy"] == "2"
    assert rows["model base", "sha256 of weights"] == "abc"
    assert rows["model chat", "sha256 of model.safetensors"] == "def"
    assert rows["model chat", "source"] == "models/x"
    assert ("model chat", "sha256 of config.json") not in rows
    assert rows["files", "hashed in provenance.json"].startswith("4 ")


def test_models_are_identified_without_their_training(record: dict):
    assert record["models"]["base"] == {"sha256": "abc", "settings": {"steps": 3}}
    assert record["config"] == {"study": "s", "seed": 1} and json.dumps(record)


def test_a_model_without_a_manifest_is_told(tmp_path: Path):
    with pytest.raises(ArtefactError, match=r"no manifest\.json"):
        study_record("s", {}, [tmp_path], [], {})
