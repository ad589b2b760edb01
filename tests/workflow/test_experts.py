"""A study of a model with experts, from its texts to the answers under masks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crane.artefacts import read_json, read_metadata, read_table
from crane.models.families import Groups
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.shards import read_header, read_layer
from support.models import EXPERT_WIDTH, EXPERTS, SHARED_WIDTH, build_model
from support.workspace import Workspace, plain
from transformers import PreTrainedTokenizerFast

pytestmark = pytest.mark.slow
LANGUAGES = ["en", "vi"]
GROUPS = Groups(EXPERTS, EXPERT_WIDTH, SHARED_WIDTH)
LEAST = 25
"""Texts that must be routed to a neuron, of 30; so some of them are undefined."""
SETS = ["crane", "lape", "crane-mean"]


def study_of_experts(demo: dict[str, Any], model: Path) -> dict[str, Any]:
    config = plain(demo)
    for section in ("open_questions", "judges"):
        del config[section]
    config["study"] = "experts"
    config["languages"] = {code: config["languages"][code] for code in LANGUAGES}
    config["models"] = {
        "base": {
            "label": "Tiny", "source": "local", "path": str(model), "layers": 3, "intermediate_size": GROUPS.neurons,
        }
    }  # fmt: skip
    config["transfer_models"] = []
    config["demo"]["data"].update(documents=100, identification=60, benchmark=6)
    config["corpora"].update(documents=30, max_tokens=8, shards=2)
    config["relevance"] |= {"routed_samples": LEAST, "shards_per_job": 2}
    sets = config["mask_sets"]
    lape = {**sets["lape"], "top_rate": 0.2, "filter_rate": 0.5, "activation_bar_ratio": 0.5}
    config["mask_sets"] = {"crane": sets["crane"], "lape": lape}
    config["benchmarks"] = {f"quiz_{code}": config["benchmarks"][f"quiz_{code}"] for code in LANGUAGES}
    config["suites"] = {"quiz": list(config["benchmarks"])}
    config["scores"] |= {"parallel": ["quiz"]}
    config["sweeps"] = {
        "intervention": {"suite": "quiz", "mask_sets": ["crane"], "scales": [0], "mean": True}
    }
    return config


@pytest.fixture(scope="module")
def study(
    finished_study: Any,
    demo_config: dict[str, Any],
    tokenizer: PreTrainedTokenizerFast,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workspace:
    folder = tmp_path_factory.getbasetemp().parent / "tiny-experts"
    if not folder.exists():
        build_model("qwen2_moe", seed=3, vocabulary=len(tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    answers = [f"results/experts/evaluations/base/{name}/quiz.parquet" for name in ["original", *SETS]]
    config = study_of_experts(demo_config, folder)
    return finished_study("experts", config, lambda workspace: workspace.run(*answers))


def test_statistics_are_those_of_routed_texts(study: Workspace) -> None:
    shards = sorted((study.results / "relevance" / "base" / "vi").glob("*.safetensors"))
    header = read_header(shards[0])
    assert header["groups"] == list(GROUPS) and header["router"] == "constant"
    assert header["self_test"]["samples routed otherwise in a batch"] >= 0
    for layer in range(3):
        parts = [read_layer(path, layer) for path in shards]
        table = read_table(study.results / "kurtosis" / "base" / f"layer-{layer}.parquet")
        table = table[table["language"] == "vi"]
        routed = sum(GROUPS.spread(part.routed.samples) for part in parts).numpy()
        tokens = sum(GROUPS.spread(part.routed.tokens) for part in parts).numpy()
        assert (table["count"] == 30).all()
        assert (table["routed"] == routed).all() and (table["tokens"] == tokens).all()
        assert (table["kurtosis"].isna() == (routed < LEAST)).all()
        assert (table["routed"].iloc[GROUPS.routed :] == 30).all()
        total = sum(part.tokens for part in parts)
        assert tokens[GROUPS.routed] == total and tokens[: GROUPS.routed : GROUPS.width].sum() == 2 * total


def test_what_is_undefined_is_counted_and_never_selected(study: Workspace) -> None:
    path = study.results / "kurtosis" / "base" / "layer-0.parquet"
    assert read_metadata(path)["params"]["routed_samples"] == LEAST
    log = (study.results / "logs" / "reduce_kurtosis" / "base.log").read_text(encoding="utf-8")
    undefined = np.zeros((3, GROUPS.neurons), bool)
    for layer in range(3):
        table = read_table(study.results / "kurtosis" / "base" / f"layer-{layer}.parquet")
        for language, rows in table.groupby("language"):
            few = int((rows["routed"] < LEAST).sum())
            assert f"layer {layer}, {language}: {few} of {GROUPS.neurons} neurons are in experts" in log
            undefined[layer] |= rows["kurtosis"].isna().to_numpy()
    assert undefined.any()
    chosen = NeuronSet.read_parquet(study.results / "masks" / "base" / "crane.parquet")
    for language in LANGUAGES:
        assert not any(undefined[layer, index].any() for layer, index in chosen[language].items())
    summary = read_json(study.results / "masks" / "base" / "crane.json")
    assert summary["vi"]["undefined"] == undefined.sum()


def test_masks_and_means_change_the_answers(study: Workspace) -> None:
    folder = study.results / "evaluations" / "base"
    key = ["benchmark", "doc_id"]
    plain_answers = read_table(folder / "original" / "quiz.parquet").set_index(key)["probability"]
    for name in SETS:
        answers = read_table(folder / name / "quiz.parquet")
        assert set(answers["mask_language"]) == set(LANGUAGES)
        for _, rows in answers.groupby("mask_language"):
            changed = rows.set_index(key)["probability"]
            assert changed.notna().all() and not np.allclose(changed, plain_answers[changed.index])
