"""A study whose model, data set, corpora, masks and questions all come from the network, run for real."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import read_json, read_metadata, read_table
from crane.neurons.neuron_set import NeuronSet
from crane.preflight.checks import make
from crane.preflight.sources import sources
from crane.study.study import Study
from support import hub_datasets
from support.hub_server import TOKEN, HubServer
from support.online import OnlineWorkspace
from support.workspace import plain

LAYERS, WIDTH = 2, 48
MODEL, TEXTS, QUESTIONS = "maker/tiny", "maker/texts", "facebook/belebele"
SENTENCES = ["People in Paris speak French.", "April comes after March.", "The yen is used in Japan."]
LANGUAGES = {"en": "eng_Latn", "vi": "vie_Latn"}
pytestmark = pytest.mark.slow


def study(demo: dict[str, Any], server: HubServer, sha256: dict[str, str]) -> dict[str, Any]:
    config = plain(demo)
    del config["demo"]

    def pinned(repository: str) -> dict[str, str]:
        return {"repository": repository, "revision": server.commit(repository)}

    def file(name: str) -> dict[str, str]:
        return {"url": f"{server.url}/files/{name}", "sha256": sha256[name]}

    config |= {
        "study": "online",
        "languages": {code: {"name": code} for code in LANGUAGES},
        "models": {"base": {"label": "Tiny", "source": "hub", "layers": LAYERS, "intermediate_size": WIDTH,
                            **pinned(MODEL)}},
        "transfer_models": [],
        "corpora": {"source": "hub", **pinned(TEXTS), "files": {code: f"{code}/*.parquet" for code in LANGUAGES},
                    "column": "text", "max_files": 2, "pool": 60, "documents": 20, "max_tokens": 24, "seed": 0,
                    "shards": 1},
        "mask_sets": {
            "official": {"label": "Official", "method": "import", "languages": [*LANGUAGES], "file": file("tiny.pth")},
        },
        "datasets": {"belebele": {**pinned(QUESTIONS), "files": ["data/*.jsonl"]}},
        "benchmarks": {
            f"belebele_{code}": {"label": f"Belebele ({code})", "language": code, "task": f"belebele_{name}",
                                 "dataset": "belebele", "fewshot": 5, "chance": 0.25, "cluster_by": "link"}
            for code, name in LANGUAGES.items()
        },
        "suites": {"belebele": [f"belebele_{code}" for code in LANGUAGES]},
    }  # fmt: skip
    config["open_questions"].update(
        source="local",
        suffix=dict.fromkeys(LANGUAGES, ""),
        files={code: file(f"{code}.jsonl") for code in LANGUAGES},
        max_new_tokens=6,
    )
    config["scores"].update(resamples=100, parallel=["belebele"])
    return config


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, make_model: Callable[..., Any], tokenizer: Any
) -> Iterator[HubServer]:
    """Yield one server for all tests, which the first of them closes at last."""
    folder = tmp_path_factory.mktemp("hub")
    shape = {"num_hidden_layers": LAYERS, "intermediate_size": WIDTH, "max_position_embeddings": 2048}
    make_model("llama", seed=3, vocabulary=len(tokenizer), **shape).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    for code in LANGUAGES:
        (folder / "texts" / code).mkdir(parents=True)
        for part in range(3):
            texts = [f"{SENTENCES[i % 3]} That is told in {code} for time {part} {i}." for i in range(80)]
            pd.DataFrame({"text": texts}).to_parquet(folder / "texts" / code / f"{part}.parquet")
    hub_datasets.write_belebele(folder / "belebele", 6)
    flags = np.random.default_rng(0).random((len(LANGUAGES), LAYERS, WIDTH)) < 0.1
    NeuronSet.from_flags(flags, [*LANGUAGES]).write_lape(folder / "tiny.pth", [*LANGUAGES])
    served = HubServer()
    served.add("model", MODEL, folder / "model")
    served.add("dataset", TEXTS, folder / "texts")
    served.add("dataset", QUESTIONS, folder / "belebele")
    served.files["tiny.pth"] = (folder / "tiny.pth").read_bytes()
    for code in LANGUAGES:
        questions = [{"question": f"What is told in {code}?", "reference": s} for s in SENTENCES[:2]]
        served.files[f"{code}.jsonl"] = "".join(json.dumps(q) + "\n" for q in questions).encode()
    yield served
    served.close()


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, server: HubServer, demo_config: dict[str, Any]
) -> OnlineWorkspace:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in server.files.items()}
    config = study(demo_config, server, hashes)
    return OnlineWorkspace(tmp_path_factory.mktemp("online"), config, server, TOKEN)


def test_a_study_from_the_network(
    workspace: OnlineWorkspace, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What cannot be had is one line in the log; nothing half-made stays.
    server.gated.add(MODEL)
    failed = workspace.run("results/online/models/base", check=False)
    assert failed.returncode != 0
    log = (workspace.results / "logs" / "download_model" / "base.log").read_text()
    assert f"error: model {MODEL} is gated" in log
    assert "Traceback" not in log
    assert not list((workspace.results / "models").glob("*"))
    server.gated.clear()

    targets = ["tables", "results/online/corpora/base/vi.parquet"]
    workspace.run(*targets)
    commit = server.commit(MODEL)
    assert read_json(workspace.results / "models" / "base" / "manifest.json")["commit"] == commit
    answers = workspace.results / "evaluations" / "base" / "official" / "belebele.parquet"
    assert read_metadata(answers)["model"]["commit"] == commit
    assert read_table(answers)["cluster"].nunique() == 3
    corpus = read_metadata(workspace.results / "corpora" / "base" / "vi.parquet")
    assert corpus["commit"] == server.commit(TEXTS)
    assert len(corpus["sha256"]) == 2
    assert len(read_table(workspace.results / "datasets" / "corpus" / "vi.parquet")) == 60
    table = (workspace.results / "tables" / "table1.txt").read_text()
    assert "Official" in table
    assert len(list((workspace.results / "downloads").iterdir())) == 3
    assert not list(workspace.results.rglob("*.download"))

    # Compute jobs asked nobody, and nobody wrote the token down.
    for path in (workspace.folder / "results").rglob("*.log"):
        assert TOKEN not in path.read_text()
    assert not (workspace.folder / "home" / "hub").exists()

    server.close()
    done = workspace.run(*targets)
    assert "Nothing to be done" in done.stdout + done.stderr
    monkeypatch.chdir(workspace.folder)
    checks = make(sources(Study(workspace.config)))
    assert len(checks) == 1 + 1 + 2 + 3  # model, data set, corpora, files
    assert all(check.passed and ", downloaded" in check.text for check in checks), checks


EVALUATE = "evaluate_masks_base_0"  # one job for original, official and crane
# What is downloaded anew, and what reads it first.
RERUNS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, int]]] = {
    "nothing": (lambda c: None, {}),
    "more documents of the same pool": (lambda c: c["corpora"].update(documents=40), {"sample_corpus": 2}),
    "a larger pool": (lambda c: c["corpora"].update(pool=70), {"download_corpus": 2, "sample_corpus": 2}),
    "a language's own data set": (
        lambda c: c["corpora"]["files"].update(vi={"repository": "a/b", "revision": "0" * 40, "files": "x"}),
        {"download_corpus": 1, "sample_corpus": 1},
    ),
    "another revision of the data set": (
        lambda c: c["datasets"]["belebele"].update(revision="0" * 40),
        {"download_dataset": 1, "render_prompts": 2, EVALUATE: 1},
    ),
    "another file of masks": (
        lambda c: c["mask_sets"]["official"]["file"].update(sha256="0" * 64),
        {"download_file": 1, "import_neurons": 1, EVALUATE: 1},
    ),
    "another revision of the model": (
        lambda c: c["models"]["base"].update(revision="refs/pr/1"),
        {"download_model": 1, "sample_corpus": 2, "render_prompts": 2, "render_open_questions": 1, EVALUATE: 1},
    ),
}  # fmt: skip
WATCHED = {rule for _, rules in RERUNS.values() for rule in rules}


@pytest.fixture(scope="module")
def pretended(
    tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any], server: HubServer
) -> OnlineWorkspace:
    config = study(demo_config, server, dict.fromkeys(server.files, "f" * 64))
    config["mask_sets"]["crane"] = demo_config["mask_sets"]["crane"]
    made = OnlineWorkspace(tmp_path_factory.mktemp("pretended"), config, server, TOKEN)
    made.pretend_finished()
    return made


@pytest.mark.parametrize("change", RERUNS)
def test_a_changed_key_downloads_exactly(pretended: OnlineWorkspace, change: str) -> None:
    edit, expected = RERUNS[change]
    with pretended.configured(edit):
        planned = {rule: jobs for rule, jobs in pretended.planned().items() if rule in WATCHED}
    # What comes through the masks of a corpus is tests/workflow/test_reruns.py's.
    if "sample_corpus" in expected and EVALUATE not in expected:
        del planned[EVALUATE]
    assert planned == expected
