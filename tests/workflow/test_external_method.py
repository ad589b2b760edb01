"""A method from another package, found by its entry point, selects neurons in the workflow."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crane.artefacts import read_json, write_table
from crane.neurons.neuron_set import NeuronSet
from support.plugins import NAME, example, install
from support.statistics import as_table
from support.workspace import Workspace, plain

LAYERS, WIDTH = 4, 256
TARGET = f"results/outside/masks/base/{NAME}.parquet"


class WithPackages(Workspace):
    """A workspace whose Python finds the packages of one more folder."""

    warm = False  # the folder is known when Python starts

    @property
    def packages(self) -> Path:
        return self.folder / "packages"

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self.packages)}


@pytest.fixture
def workspace(tmp_path: Path, demo_config: dict[str, Any]) -> WithPackages:
    """Return a study with tables of statistics and a mask set of that method, of which nothing else exists."""
    config = plain(demo_config)
    config["study"] = "outside"
    loudest = {"label": "Loudest", "method": NAME, "power": 1.0, "budget": {"count": 7}}
    config["mask_sets"] = {NAME: loudest}
    folder = tmp_path / "workspace"
    folder.mkdir()
    made = WithPackages(folder, config)
    made.packages.mkdir()
    return made


def test_the_workflow_selects_by_it(workspace: WithPackages) -> None:
    energy = np.random.default_rng(0).gamma(2.0, size=(3, LAYERS, WIDTH))
    table = as_table({"energy": energy})
    for layer, rows in table.groupby("layer"):
        write_table(rows, workspace.results / "kurtosis" / "base" / f"layer-{layer}.parquet", {})
    install(workspace.packages, example())
    workspace.run(TARGET, "--allowed-rules", "select_neurons")
    chosen = NeuronSet.read_parquet(workspace.folder / TARGET)
    for row, language in enumerate(("en", "zh", "vi")):
        ratio = energy[row] / np.delete(energy, row, 0).mean(0)
        expected = {divmod(int(number), WIDTH) for number in np.argsort(-ratio, axis=None)[:7]}
        assert {(k, int(i)) for k, index in chosen[language].items() for i in index} == expected
    summary = read_json((workspace.folder / TARGET).with_suffix(".json"))
    assert summary["en"]["total"] == summary["en"]["asked"] == 7
