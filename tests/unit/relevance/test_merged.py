"""From files to the table of a layer; and the job that writes them, with and without accumulators."""

from types import SimpleNamespace

import attribute_relevance
import numpy as np
import pandas as pd
import pytest
import torch
from crane.artefacts import write_json, write_table
from crane.models.loading import load_model
from crane.models.manifests import file_hashes
from crane.relevance.accumulated_columns import COLUMNS, TOPS, top_column
from crane.relevance.accumulated_files import ENDING
from crane.relevance.accumulators import SUMS
from crane.relevance.attribution import attribution
from crane.relevance.collect import collect
from crane.relevance.memory import Fit
from crane.relevance.merged import merged_table

SHARDS, LAYERS = 2, 3
SETTINGS = {
    "rules": "attnlrp", "objective": "next_token_logit", "aggregate": "sum", "site": "intermediate",
    "skip_first": True, "dtype": "float32",
}  # fmt: skip


class Params(SimpleNamespace):
    def items(self):
        return vars(self).items()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, model_folder):
    """Return a model folder with a manifest, and a corpus of 7 samples."""
    folder = tmp_path_factory.mktemp("merged")
    model = folder / "model"
    model.mkdir()
    for file in model_folder.iterdir():
        (model / file.name).symlink_to(file)
    write_json({"source": "test", "sha256": file_hashes(model)}, model / "manifest.json")
    generator = torch.Generator().manual_seed(0)
    samples = [torch.randint(4, 140, (n,), generator=generator).tolist() for n in (9, 5, 12, 7, 9, 3, 8)]
    write_table(pd.DataFrame({"input_ids": samples}), folder / "corpus.parquet", {})
    return SimpleNamespace(model=str(model), corpus=str(folder / "corpus.parquet")), samples


def ran(inputs, results, folder, accumulators=()):
    """Run the job's function; return its files by name."""
    endings = [".safetensors", *([ENDING] if accumulators else [])]
    output = [str(results / folder / f"{shard}{ending}") for shard in range(SHARDS) for ending in endings]
    relevance = {f"relevance.{key}": value for key, value in SETTINGS.items()}
    if accumulators:
        relevance["relevance.accumulators"] = list(accumulators)
    speed = {"batch_tokens": 30, "sweep_tokens": 100, "batch_size": 0, "memory_gb": 0, "top_samples": 0}
    job = SimpleNamespace(
        threads=1, rule="attribute_relevance_0", wildcards={}, input=inputs, output=output,
        resources=SimpleNamespace(**speed),
        params=Params(relevance=relevance, shards=SHARDS, store=str(results / "parts"), code="x"),
    )  # fmt: skip
    attribute_relevance.main(job)
    return {path.name: path for path in (results / folder).iterdir()}


def test_accumulators_leave_shards_and_their_keys_as_they_are(inputs, tmp_path, capfd):
    plain = ran(inputs[0], tmp_path, "plain")
    parts = set((tmp_path / "parts").rglob("*.safetensors"))
    assert len(plain) == len(parts) == SHARDS
    more = ran(inputs[0], tmp_path, "more", tuple(SUMS))
    assert set(more) == {f"{shard}{ending}" for shard in range(SHARDS) for ending in (".safetensors", ENDING)}
    assert all(more[name].read_bytes() == path.read_bytes() for name, path in plain.items())
    added = set((tmp_path / "parts").rglob("*.safetensors"))
    assert parts < added and len(added) == 2 * SHARDS
    capfd.readouterr()
    again = ran(inputs[0], tmp_path, "again", tuple(SUMS))
    assert capfd.readouterr().out.count("from the store") == SHARDS
    assert all(again[name].read_bytes() == path.read_bytes() for name, path in more.items())
    alone = ran(inputs[0], tmp_path, "alone")  # without them, from the same parts
    assert alone["1.safetensors"].read_bytes() == plain["1.safetensors"].read_bytes()
    assert set((tmp_path / "parts").rglob("*.safetensors")) == added


def test_the_columns_of_merged_shards_are_those_of_all_samples(inputs, tmp_path):
    files = ran(inputs[0], tmp_path, "more", tuple(SUMS))
    given = {"en": sorted(map(str, files.values())), "zh": sorted(map(str, files.values()), reverse=True)}
    tables = pd.concat(merged_table(given, layer, "intermediate") for layer in range(LAYERS))
    names = [name for columns in COLUMNS.values() for name in columns]
    assert set(names) < set(tables.columns)
    model = load_model(inputs[0].model, "float32", "cpu")
    samples = [torch.tensor(ids) for ids in inputs[1]]
    with attribution(model, skip_first=True, accumulators=tuple(SUMS)) as attribute:
        grids, n, tokens, counted = collect(attribute, samples, Fit(1)).accumulated
    expected = {
        "mean_gate": grids["gate_sum"] / tokens, "value_std": (grids["value_m2"] / counted).sqrt(),
        "energy": grids["energy_sum"] / n, "up_abs": grids["up_sum"] / n,
        "mean_abs_token": grids["abs_sum"] / counted, "mean_gradient": grids["gradient_sum"] / n,
    }  # fmt: skip
    exact = {}
    for name in ("energy", "up"):
        exact[f"{name}_worst_rank"] = grids[f"{name}_worst_rank"]
        exact |= {top_column(name, top): grids[f"{name}_top_count"][:, j] for j, top in enumerate(TOPS)}
    assert set(exact) | set(expected) == set(names)
    for language, rows in tables.groupby("language"):
        for name, grid in exact.items():
            np.testing.assert_array_equal(rows[name], grid.flatten(), err_msg=f"{language} {name}")
        for name, grid in expected.items():
            np.testing.assert_allclose(rows[name], grid.flatten(), rtol=2e-4, atol=1e-6, err_msg=name)


def test_without_accumulators_there_are_no_further_columns(inputs, tmp_path):
    files = ran(inputs[0], tmp_path, "plain")
    table = merged_table({"en": sorted(map(str, files.values()))}, 0, "intermediate")
    assert not {name for columns in COLUMNS.values() for name in columns} & set(table.columns)
