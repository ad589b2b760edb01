"""The table of what a study was made with says what the record holds."""

from pathlib import Path

import pytest
from crane.names import TABLE_FORMS
from crane.tables.provenance import provenance_table
from crane.tables.rendering import Table, render
from support.provenance_record import record


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return provenance_table(record(tmp_path))


def test_it_lists_models_versions_and_code(table: Table):
    rows = table.tidy.set_index(["Subject", "Name"])["Value"]
    assert rows["library", "torch"] == "1.0, 2.0" and rows["library", "numpy"] == "2"
    assert rows["model base", "sha256 of weights"] == "abc"
    assert rows["model chat", "sha256 of model.safetensors"] == "def"
    assert rows["model chat", "source"] == "models/x"
    assert ("model chat", "sha256 of config.json") not in rows
    assert rows["code of rule", "run"] == "c1.0, c2.0" and rows["code of rule", "ask"] == "c9"
    assert rows["files", "hashed in provenance.json"].startswith("4 ")
    assert rows["study", "name"] == "s" and "study s" in table.title


def test_it_can_be_written_in_every_form(table: Table):
    assert table.cells.shape == table.tidy.shape
    assert all(render(table, "provenance", form) for form in TABLE_FORMS)
