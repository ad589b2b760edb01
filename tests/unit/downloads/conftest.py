"""A model that the local hub serves."""

import shutil

import pytest
from support.served import MODEL


@pytest.fixture
def model(hub, model_folder, tmp_path):
    """Return the folder of a served model, with files beside that nobody needs."""
    folder = tmp_path / "repository"
    shutil.copytree(model_folder, folder)
    (folder / "pytorch_model.bin").write_bytes(b"the same weights again")
    (folder / "consolidated.safetensors").write_bytes(b"and again")
    (folder / "README.md").write_text("# tiny\n")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"in another form")
    hub.add("model", MODEL, folder)
    return folder
