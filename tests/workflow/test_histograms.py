"""Methods of histograms from the texts to their neurons: the pilot, the shards, the columns, the sets."""

from typing import Any

import numpy as np
import pytest
from crane.artefacts import read_json, read_table
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.steering import engine_arguments
from crane.relevance.accumulated_files import read_accumulated
from crane.relevance.bin_edges import read_edges
from support.workspace import Workspace, plain

LANGUAGES = ["en", "zh", "vi"]
LAYERS, SHARDS, DOCUMENTS = 4, 2, 40
pytestmark = pytest.mark.slow


def test_two_methods_select_by_histograms(tmp_path: Any, demo_config: dict[str, Any]) -> None:
    config = plain(demo_config)
    config["study"] = "binned"
    config["corpora"].update(documents=DOCUMENTS, shards=SHARDS)
    config["relevance"].update(pilot=30, token_cap=500)
    ap = {"label": "AP", "method": "average_precision", "estimator": "average_precision", "side": "both"}
    config["mask_sets"] = {
        "ap": {**ap, "budget": {"count": 30}},
        "overlap": {"label": "O", "method": "overlap", "pair_rate": 0.2},
    }
    workspace = Workspace(tmp_path, config)
    targets = [f"results/binned/masks/base/{name}.parquet" for name in ("ap", "overlap")]
    workspace.run(*targets)
    results = workspace.results
    edges = read_edges(results / "bin_edges" / "base.safetensors")
    for language in LANGUAGES:
        parts = [
            read_accumulated(
                results / "relevance" / "base" / language / f"{shard}.accumulators.safetensors", 0
            )
            for shard in range(SHARDS)
        ]
        assert {part.edges for part in parts} == {edges.digest}
        assert [int(part.grids["token_histogram"][0].sum()) for part in parts] == [250, 250]
        assert sum(int(part.grids["sample_histogram"][0].sum()) for part in parts) == DOCUMENTS
    columns = ["language", "neuron", "ap", "ap_low", "ap_high", "overlap_with"]
    table = read_table(results / "kurtosis" / "base" / "layer-0.parquet", columns)
    assert (table["ap_low"] <= table["ap"]).all() and (table["ap"] <= table["ap_high"]).all()
    shared = np.stack(table["overlap_with"]).reshape(3, -1, 3)
    np.testing.assert_array_equal(shared, shared.transpose(2, 1, 0))
    log = (results / "logs" / "reduce_kurtosis" / "base.log").read_text(encoding="utf-8")
    assert log.count("of the activated gates lie beyond the edges") == 3 * LAYERS
    for target, told in zip(targets, ({"overflow", "uncertain", "asked"}, {"overflow"}), strict=True):
        summary = read_json((workspace.folder / target).with_suffix(".json"))
        chosen = NeuronSet.read_parquet(workspace.folder / target)
        for language in LANGUAGES:
            assert told < summary[language].keys() and 0 <= summary[language]["overflow"] < 0.05
            assert chosen.total(language) == summary[language]["total"] > 0
    change = engine_arguments(
        {"op": "set", "source": "median"},
        chosen,
        sorted((results / "kurtosis" / "base").glob("layer-*.parquet")),
    )["changes"]["en"]
    layer, index = next(iter(change.neurons.items()))
    table = read_table(
        results / "kurtosis" / "base" / f"layer-{layer}.parquet", ["language", "neuron", "median_value"]
    )
    medians = table[table["language"] == "en"].set_index("neuron")["median_value"]
    np.testing.assert_array_equal(change.shifts[layer], medians[index.tolist()])
    assert not np.any(change.factors[layer])
    with workspace.configured(lambda c: c["relevance"].update(pilot=20)):
        planned = workspace.planned(*targets)
    assert planned == {
        "freeze_bin_edges": 1, "attribute_relevance_accumulating_0": 3, "reduce_kurtosis": 1, "select_neurons": 2,
    }  # fmt: skip
