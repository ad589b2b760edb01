"""The whole workflow in small on a real model and real texts."""

import pandas as pd
import pytest
import yaml
from crane.artefacts import read_table
from support.places import ROOT
from support.workspace import Workspace

LANGUAGES = ["en", "fr"]


@pytest.fixture(scope="module")
def study(smollm2, real_data, tmp_path_factory):
    """Return a finished study of two languages: 32 samples of 64 tokens, perplexity and continuation questions."""
    config = yaml.safe_load((ROOT / "config" / "smollm2.yaml").read_text(encoding="utf-8"))
    config["study"] = "small"
    config["languages"] = {language: config["languages"][language] for language in LANGUAGES}
    model = config["models"]["base"]
    config["models"]["base"] = {
        **{key: model[key] for key in ("label", "layers", "intermediate_size", "parameters")},
        "source": "local",
        "path": str(smollm2),
    }
    config["corpora"] = {
        "source": "local",
        "files": {language: str(real_data / "texts" / f"{language}.jsonl") for language in LANGUAGES},
        "column": "text", "documents": 32, "sample": "pack", "max_tokens": 64, "seed": 0, "shards": 2,
    }  # fmt: skip
    for language in LANGUAGES:
        config["benchmarks"][f"go_on_{language}"] |= {
            "questions": 16,
            "context_tokens": 24,
            "continuation_tokens": 8,
        }
    config["benchmarks"] = {
        f"go_on_{language}": config["benchmarks"][f"go_on_{language}"] for language in LANGUAGES
    }
    config["suites"] = {"go_on": list(config["benchmarks"])}
    shown = ["lape", "dispersion", "dispersion_lape", "random"]
    config["mask_sets"] = {name: config["mask_sets"][name] for name in shown}
    config["mask_sets"]["random"]["seeds"] = 1
    config["perplexity"] |= {"documents": 12, "max_tokens": 48, "mask_sets": shown}
    del config["sweeps"], config["explorer"]
    workspace = Workspace(tmp_path_factory.mktemp("real"), config)
    workspace.warm = False  # as users run it
    workspace.run()
    return workspace


def test_samples_have_one_length_and_held_out_texts_are_others(study):
    for language in LANGUAGES:
        corpus = read_table(study.results / f"corpora/base/{language}.parquet")
        assert corpus["input_ids"].map(len).tolist() == [64] * 32
        used = {digest for row in corpus["documents"] for digest in row}
        for path in (f"held_out/base/{language}", f"passages/base/go_on_{language}/{language}"):
            assert not used & set(read_table(study.results / f"{path}.parquet")["text_sha256"])


def test_every_mask_was_measured_on_every_language(study):
    scores = read_table(study.results / "scores.parquet")
    assert scores.groupby("mask_set").size().to_dict() == {
        "original": 2, "lape": 4, "dispersion": 4, "dispersion_lape": 4, "random-0": 4,
    }  # fmt: skip
    assert scores["score"].between(0, 1).all()


def test_the_model_goes_on_better_than_by_chance_in_english(study):
    scores = read_table(study.results / "scores.parquet").set_index(["mask_set", "benchmark"])["score"]
    assert scores["original", "go_on_en"].item() > 0.25


def test_masks_of_dispersion_hurt_their_own_language_most(study):
    """What the study of this model is about, in small: docs/smollm2.md has the figures."""
    perplexity = read_table(study.results / "perplexity.parquet")
    rows = perplexity[perplexity["mask_set"] == "dispersion"]
    worse = rows.pivot(index="mask_language", columns="language", values="log_ratio")
    assert worse.loc["fr", "fr"] > worse.loc["fr", "en"] and worse.loc["en", "en"] > worse.loc["en", "fr"]


def test_the_tables_and_figures_are_there(study):
    assert isinstance(pd.read_csv(study.results / "tables/table1.csv"), pd.DataFrame)
    for name in ("perplexity-base", "stability", "drop_heatmap-base-go_on"):
        assert (study.results / f"figures/{name}.png").stat().st_size > 10_000
