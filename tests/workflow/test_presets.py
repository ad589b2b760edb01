"""The presets of real models load what they name, from a local hub that serves it in little."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import read_json, read_metadata, read_table
from support import hub_datasets
from support.hub_server import HubServer
from support.online import OnlineWorkspace
from support.study_config import preset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["smollm2", "qwen2.5-0.5b"])
def loaded(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    make_model: Callable[..., Any],
    tokenizer: Any,
) -> OnlineWorkspace:
    """Return a preset's study after its downloads, on models and texts that are small but named and laid out alike."""
    config, folder = preset(request.param), tmp_path_factory.mktemp("hub")
    hub = HubServer()
    for name, model in config["models"].items():
        shape = {"num_hidden_layers": 2, "intermediate_size": 48, "max_position_embeddings": 2048}
        family = "llama" if "SmolLM2" in model["repository"] else "qwen2"
        make_model(family, seed=3, vocabulary=len(tokenizer), **shape).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        model |= {
            "layers": 2,
            "intermediate_size": 48,
            "revision": hub.add("model", model["repository"], folder / name),
        }
    corpora = config["corpora"]
    for language, pattern in corpora["files"].items():
        path = folder / "texts" / pattern.replace("*", "train-00000-of-00001")
        path.parent.mkdir(parents=True)
        words = [
            f"Article {n} in {language} tells again and again: {'this is text ' * 20}{n}." for n in range(320)
        ]
        pd.DataFrame({"id": [str(n) for n in range(320)], "text": words}).to_parquet(path)
    corpora |= {
        "pool": 300,
        "documents": 20,
        "revision": hub.add("dataset", corpora["repository"], folder / "texts"),
    }
    corpora["max_tokens"] = 64
    for dataset in config.get("datasets", {}).values():
        hub_datasets.write_belebele(folder / "belebele", 6)
        dataset["revision"] = hub.add("dataset", dataset["repository"], folder / "belebele")
    workspace = OnlineWorkspace(tmp_path_factory.mktemp("preset"), config, hub)
    results = workspace.results.relative_to(workspace.folder)
    base = config["identification_model"]
    wanted = [f"{results}/models/{name}" for name in config["models"]]
    wanted += [f"{results}/corpora/{base}/{language}.parquet" for language in ("en", "vi")]
    wanted += [f"{results}/datasets/{name}" for name in config.get("datasets", {})]
    workspace.run(*wanted)
    hub.close()
    return workspace


def test_models_are_the_pinned_commits(loaded: OnlineWorkspace) -> None:
    for name, model in loaded.config["models"].items():
        assert read_json(loaded.results / "models" / name / "manifest.json")["commit"] == model["revision"]


def test_samples_come_from_the_pinned_texts(loaded: OnlineWorkspace) -> None:
    corpora, base = loaded.config["corpora"], loaded.config["identification_model"]
    for language in ("en", "vi"):
        path = loaded.results / "corpora" / base / f"{language}.parquet"
        assert read_metadata(path)["commit"] == corpora["revision"]
        assert read_table(path)["input_ids"].map(len).tolist() == [64] * 20


def test_only_what_is_named_was_asked_for(loaded: OnlineWorkspace) -> None:
    config = loaded.config
    named = [model["repository"] for model in config["models"].values()] + [config["corpora"]["repository"]]
    named += [dataset["repository"] for dataset in config.get("datasets", {}).values()]
    for method, path, _ in loaded.hub.requests:
        if path != "/api/agent-harnesses":  # the hub's own library asks this of its server
            assert any(repository in path for repository in named), (method, path)
