"""Models and data sets of a local server that speaks the hub's protocol: what is asked for, and every refusal."""

from pathlib import Path

import pytest
import yaml
from crane.artefacts import read_json
from crane.downloads.repository import check_access, download, find_files
from crane.downloads.transfer import DownloadError, check_url
from crane.evaluation import benchmarks
from crane.models.errors import ModelError
from crane.models.folders import check_settings
from huggingface_hub import constants
from support import hub_datasets
from support.hub_server import TOKEN
from support.places import ROOT
from support.served import DATASET, MODEL, NEEDED, commit, sha256


def test_a_model_is_downloaded_with_what_it_needs_and_a_manifest(hub, model, tmp_path):
    snapshot = find_files(MODEL, "refs/pr/1", "model")
    manifest = download(snapshot, tmp_path / "models" / "mine")
    assert sorted(path.name for path in (tmp_path / "models" / "mine").iterdir()) == sorted(
        [*NEEDED, "manifest.json"]
    )
    assert manifest == read_json(tmp_path / "models" / "mine" / "manifest.json")
    assert manifest == {
        "source": MODEL, "revision": "refs/pr/1", "commit": commit(),
        "sha256": {name: sha256(model / name) for name in NEEDED},
    }  # fmt: skip
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
    assert constants.HF_HUB_OFFLINE


def test_bin_weights_where_there_are_no_safetensors(hub, model):
    (model / "model.safetensors").unlink()
    found = [file.path for file in find_files(MODEL, commit(), "model").files]
    assert "pytorch_model.bin" in found
    (model / "pytorch_model.bin").unlink()
    with pytest.raises(DownloadError, match=rf"model {MODEL} at .*: no weights"):
        find_files(MODEL, commit(), "model")


def test_of_one_file_and_several_the_one_is_downloaded(hub, model):
    for part in ("model-00001-of-00001.safetensors", "model.safetensors.index.json"):
        (model / part).write_bytes((model / "model.safetensors").read_bytes())
    found = {file.path for file in find_files(MODEL, commit(), "model").files}
    assert found == set(NEEDED)


def test_a_wrong_shape_is_told_before_the_weights_are_downloaded(hub, model, tmp_path):
    with pytest.raises(ModelError, match="has 3 layers of 48 neurons, the configuration says 7"):
        download(
            find_files(MODEL, commit(), "model"),
            tmp_path / "mine",
            lambda f: check_settings(f, "mine", 7, 48),
        )
    assert not hub.sent["model.safetensors"]
    (model / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="no tokenizer"):
        download(
            find_files(MODEL, commit(), "model"),
            tmp_path / "other",
            lambda f: check_settings(f, "mine", 3, 48),
        )
    assert not (tmp_path / "mine").exists()
    assert not (tmp_path / "other").exists()


def test_access_is_checked_without_downloading(hub, model):
    assert check_access(MODEL, commit(), "model") == sum((model / name).stat().st_size for name in NEEDED)
    assert not hub.sent


def refused(match, repository=MODEL, revision=None, kind="model", patterns=()):
    for ask in (check_access, lambda *a: download(find_files(*a), Path("never"))):
        with pytest.raises(DownloadError, match=match) as caught:
            ask(repository, revision or commit(repository), kind, patterns)
        assert "\n" not in str(caught.value)
        assert "hf_" not in str(caught.value)
    assert not Path("never").exists()


def test_a_gated_model_says_where_to_accept_the_licence(hub, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    hub.gated.add(MODEL)
    refused(
        rf"model {MODEL} is gated and no token was found: accept its licence at {hub.url}/{MODEL}.*HF_TOKEN"
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    refused("is gated and this token's account may not read it: accept its licence")
    hub.gated.clear()
    hub.requests.clear()
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert {token for _, _, token in hub.requests} == {TOKEN}


def test_an_invalid_token_is_told(hub, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 30)
    refused(r"refuses the token \(HTTP 401\); set HF_TOKEN to a valid one")


def test_what_is_not_there_is_told(hub, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    refused(
        "maker/nothing: .*no such repository, or it is private; correct its name.*HF_TOKEN", "maker/nothing"
    )
    refused(f"no revision {'0' * 40} .*{hub.url}/{MODEL}/commits/main", revision="0" * 40)
    hub.add("dataset", DATASET, model)
    refused(
        r"dataset maker/texts .*no file matches 'en/\*\.parquet'",
        DATASET,
        kind="dataset",
        patterns=["en/*.parquet"],
    )
    refused(r"no file matches '\*\.parquet'", DATASET, kind="dataset", patterns=["*.json", "*.parquet"])


@pytest.mark.parametrize(
    ("status", "message"), [(403, "permission"), (429, "is rate-limiting requests"), (503, "run again later")]
)
def test_other_answers_are_told(hub, model, monkeypatch, tmp_path, status, message):
    monkeypatch.chdir(tmp_path)
    hub.status = status
    refused(rf"127.0.0.1:\d+ .*HTTP {status}.*{message}" if status != 429 else rf"{message} \(HTTP 429\)")


def test_no_network_is_told(hub, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    hub.close()
    refused("the connection to 127.0.0.1:.* failed .*login node")
    with pytest.raises(DownloadError, match=r"the connection to 127.0.0.1:\d+ failed"):
        check_url(f"{hub.url}/files/x")


def test_the_paper_downloads_of_mmlu_what_its_tasks_read(hub, few_tasks, tmp_path):
    subjects = hub_datasets.write_mmlu(tmp_path / "mmlu")
    for path in (
        "all/auxiliary_train-00000-of-00001.parquet",
        "auxiliary_train/train-00000-of-00001.parquet",
    ):
        (tmp_path / "mmlu" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "mmlu" / path).write_bytes(b"never read")
    hub.add("dataset", "cais/mmlu", tmp_path / "mmlu")
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    snapshot = find_files("cais/mmlu", commit("cais/mmlu"), "dataset", config["datasets"]["mmlu"]["files"])
    splits = ("dev", "test", "validation")
    read = {f"{part}/{split}-00000-of-00001.parquet" for part in [*subjects, "all"] for split in splits}
    assert {file.path for file in snapshot.files} == {"README.md", *read}
    download(snapshot, tmp_path / "downloaded")
    (task,) = benchmarks.load(
        "law", {"task": "mmlu_international_law", "dataset": str(tmp_path / "downloaded"), "fewshot": 5}
    )["tasks"].values()
    assert {doc["subject"] for doc in task.eval_docs} == {"international_law"}
