"""From files to the table of a layer; and the job that writes them, with and without accumulators."""

from types import SimpleNamespace

import attribute_relevance
import freeze_bin_edges
import numpy as np
import pandas as pd
import pytest
import torch
from crane.artefacts import ArtefactError, write_json, write_table
from crane.models.loading import load_model
from crane.models.manifests import file_hashes
from crane.relevance.accumulated_columns import COLUMNS, HISTOGRAMS, TOPS, top_column
from crane.relevance.accumulated_files import ENDING
from crane.relevance.accumulators import SUMS
from crane.relevance.attribution import attribution
from crane.relevance.bin_edges import read_edges, write_edges
from crane.relevance.collect import collect
from crane.relevance.histogram_statistics import auroc, average_precision, beyond, medians, overlaps
from crane.relevance.histograms import BinEdges
from crane.relevance.memory import Fit
from crane.relevance.merged import BeyondEdgesError, merged_table

SHARDS, LAYERS = 2, 3
SETTINGS = {
    "rules": "attnlrp", "objective": "next_token_logit", "aggregate": "sum", "site": "intermediate",
    "skip_first": True, "dtype": "float32",
}  # fmt: skip


class Params(SimpleNamespace):
    def items(self):
        return vars(self).items()


class Output(SimpleNamespace):
    def __getitem__(self, number):
        return list(vars(self).values())[number]


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


def ran(inputs, results, folder, accumulators=(), **more):
    """Run the job's function; return its files by name."""
    endings = [".safetensors", *([ENDING] if accumulators else [])]
    output = [str(results / folder / f"{shard}{ending}") for shard in range(SHARDS) for ending in endings]
    relevance = {f"relevance.{key}": value for key, value in SETTINGS.items()}
    if accumulators:
        relevance["relevance.accumulators"] = list(accumulators)
    relevance |= {f"relevance.{key}": value for key, value in more.items()}
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
    names = [name for accumulator in SUMS for name in COLUMNS[accumulator]]
    assert set(names) < set(tables.columns)
    model = load_model(inputs[0].model, "float32", "cpu")
    samples = [torch.tensor(ids) for ids in inputs[1]]
    with attribution(model, skip_first=True, accumulators=tuple(SUMS)) as attribute:
        grids, n, tokens, counted, _ = collect(attribute, samples, Fit(1)).accumulated
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


@pytest.fixture(scope="module")
def pilot(inputs, tmp_path_factory):
    """Return the edges' file as the job makes it, from six samples, and all inputs of the jobs after it."""
    given, _ = inputs
    path = tmp_path_factory.mktemp("pilot") / "results" / "study" / "edges.safetensors"
    job = SimpleNamespace(
        threads=1, rule="freeze_bin_edges", wildcards={}, output=Output(edges=str(path)),
        input=SimpleNamespace(model=given.model, corpora=[given.corpus]),
        resources=SimpleNamespace(memory_gb=0),
        params=Params(
            relevance={"relevance.dtype": "float32", "relevance.skip_first": True}, samples=6, seed=0, code="x"
        ),
    )  # fmt: skip
    freeze_bin_edges.main(job)
    return SimpleNamespace(model=given.model, corpus=given.corpus, edges=str(path))


def of_shards(files, swap=False):
    """Return the files of two "languages": the first and the second shard."""
    names = [
        [str(files[f"{shard}{ending}"]) for ending in (".safetensors", ENDING)] for shard in range(SHARDS)
    ]
    return dict(zip(("en", "zh"), names[::-1] if swap else names, strict=True))


def test_histograms_become_columns_about_all_languages_together(inputs, pilot, tmp_path, capfd):
    files = ran(pilot, tmp_path, "binned", HISTOGRAMS, token_cap=22)
    model = load_model(pilot.model, "float32", "cpu")
    samples = [torch.tensor(ids) for ids in inputs[1]]
    edges, counted = read_edges(pilot.edges), []
    for part, limits in ((samples[:3], [9, 2, 0]), (samples[3:], [7, 4, 0, 0])):  # eleven tokens of each
        with attribution(model, skip_first=True, accumulators=HISTOGRAMS, edges=edges) as attribute:
            counted.append(collect(attribute, part, Fit(30), limits=limits).accumulated)
    for layer in range(LAYERS):
        table = merged_table(of_shards(files), layer, "intermediate")
        of_samples, of_tokens = (
            np.stack([each.grids[name][layer].numpy() for each in counted]) for name in HISTOGRAMS
        )
        assert (of_tokens.sum(2) == 11).all()
        for row, (_, rows) in enumerate(table.groupby("language", sort=False)):
            expected = dict(
                zip(("ap", "ap_low", "ap_high"), (grid[row] for grid in average_precision(of_samples)), strict=True),
                auroc=auroc(of_samples)[row], sample_overflow=beyond(of_samples[row]),
                median_value=medians(of_samples[row], edges.edges["sample_histogram"][layer].numpy()),
                token_overflow=beyond(of_tokens[row]),
            )  # fmt: skip
            for name, values in expected.items():
                np.testing.assert_allclose(rows[name], values, rtol=1e-12, err_msg=name)
            np.testing.assert_allclose(np.stack(rows["overlap_with"]), overlaps(of_tokens)[row].T, rtol=1e-6)
        assert {*COLUMNS["sample_histogram"], *COLUMNS["token_histogram"]} < set(table.columns)
        bare = merged_table(of_shards(files), layer, "intermediate", histograms=False)
        assert not {*COLUMNS["sample_histogram"], *COLUMNS["token_histogram"]} & set(bare.columns)
        assert len(bare) == len(table)
    capfd.readouterr()
    again = ran(pilot, tmp_path, "again", HISTOGRAMS, token_cap=22)
    assert capfd.readouterr().out.count("from the store") == SHARDS
    assert all(again[name].read_bytes() == path.read_bytes() for name, path in files.items())
    ran(pilot, tmp_path, "longer", HISTOGRAMS, token_cap=24)
    assert "from the store" not in capfd.readouterr().out


def test_histograms_between_other_edges_are_not_merged(pilot, tmp_path):
    files = ran(pilot, tmp_path, "binned", HISTOGRAMS, token_cap=22)
    edges = read_edges(pilot.edges)
    pilot = SimpleNamespace(**vars(pilot) | {"edges": str(tmp_path / "others.safetensors")})
    write_edges(BinEdges.of({name: grid * 2 for name, grid in edges.edges.items()}), pilot.edges, {})
    others = ran(pilot, tmp_path, "others", HISTOGRAMS, token_cap=22)
    mixed = of_shards(files) | {"zh": of_shards(others)["zh"]}
    with pytest.raises(ArtefactError, match=r"others/1\.accumulators.*other edges than those of .*binned/0"):
        merged_table(mixed, 0, "intermediate")


def test_too_much_beyond_the_edges_is_refused(pilot, tmp_path):
    edges = read_edges(pilot.edges)
    pilot = SimpleNamespace(**vars(pilot) | {"edges": str(tmp_path / "narrow.safetensors")})
    narrow = {
        name: grid.mean(1, keepdim=True) + torch.tensor([[-1e-4], [1e-4]])
        for name, grid in edges.edges.items()
    }
    write_edges(BinEdges.of(narrow), pilot.edges, {})
    files = ran(pilot, tmp_path, "narrow", ["token_histogram"], token_cap=50)
    with pytest.raises(
        BeyondEdgesError, match=r"layer 0, en: \d\d.*activated gates .*raise relevance\.pilot"
    ):
        merged_table(of_shards(files), 0, "intermediate")
    merged_table(of_shards(files), 0, "intermediate", histograms=False)
