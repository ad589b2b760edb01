"""Downloads against a local server that speaks the hub's protocol, and what happens when things break."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hub_datasets
import pandas as pd
import pytest
import yaml
from crane.artefacts import read_json, read_metadata
from crane.corpora.documents import read_documents
from crane.corpora.pool import download_pool, draw_files, merge_pool
from crane.corpora.sampling import sample
from crane.downloads import transfer
from crane.downloads.repository import check_access, download, find_files
from crane.downloads.transfer import DownloadError, check_url, download_url, online
from crane.evaluation import benchmarks
from crane.evaluation.open_questions import read_questions
from crane.models.folders import ModelError, check_config, check_tokenizer
from crane.neurons.neuron_set import NeuronSet
from hub_server import TOKEN, HubServer
from huggingface_hub import constants

MODEL, DATASET = "maker/tiny", "maker/texts"
SCRIPTS = Path(transfer.__file__).parents[2]


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Return a running server that huggingface_hub takes for the hub, offline as in a job, without a token."""
    served = HubServer()
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # what a break throws away of a transfer
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield served
    served.close()


@pytest.fixture
def model(server, model_folder, tmp_path):
    """Return the folder of a served model, with files beside that nobody needs."""
    folder = tmp_path / "repository"
    shutil.copytree(model_folder, folder)
    (folder / "pytorch_model.bin").write_bytes(b"the same weights again")
    (folder / "consolidated.safetensors").write_bytes(b"and again")
    (folder / "README.md").write_text("# tiny\n")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"in another form")
    server.add("model", MODEL, folder)
    return folder


NEEDED = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
]


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def commit(repository=MODEL):
    return HubServer.commit(repository)


def settled(server):
    """Return what was sent once nothing more is under way to a client that has gone."""
    before = None
    while before != server.sent:
        before = server.sent.copy()
        time.sleep(0.2)
    return before


# Models -------------------------------------------------------------------------------------------------


def test_a_model_is_downloaded_with_what_it_needs_and_a_manifest(server, model, tmp_path):
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


def test_bin_weights_where_there_are_no_safetensors(server, model):
    (model / "model.safetensors").unlink()
    found = [file.path for file in find_files(MODEL, commit(), "model").files]
    assert "pytorch_model.bin" in found
    (model / "pytorch_model.bin").unlink()
    with pytest.raises(DownloadError, match=rf"model {MODEL} at .*: no weights"):
        find_files(MODEL, commit(), "model")


def test_a_wrong_shape_is_told_before_the_weights_are_downloaded(server, model, tmp_path):
    with pytest.raises(ModelError, match="has 3 layers of 48 neurons, the configuration says 7"):
        download(
            find_files(MODEL, commit(), "model"), tmp_path / "mine", lambda f: check_config(f, "mine", 7, 48)
        )
    assert not server.sent["model.safetensors"]
    (model / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="no tokenizer"):
        download(find_files(MODEL, commit(), "model"), tmp_path / "other", check_tokenizer)
    assert not (tmp_path / "mine").exists()
    assert not (tmp_path / "other").exists()


def test_access_is_checked_without_downloading(server, model):
    assert check_access(MODEL, commit(), "model") == sum((model / name).stat().st_size for name in NEEDED)
    assert not server.sent


def test_many_at_once_go_online_and_leave_the_switch_as_it_was(server, model):
    """Each asks twice, and ends while others ask: none may find the offline switch on, nor leave it off."""
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: check_access(MODEL, commit(), "model"), range(40)))
    assert len(set(sizes)) == 1
    assert constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("first_ends_first", [True, False])
def test_overlapping_and_nested_contexts_stay_online_until_the_last_ends(
    server, monkeypatch, offline, first_ends_first
):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    one, other = online(), online()
    one.__enter__()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(other.__enter__).result()
    with online(), online():
        assert not constants.HF_HUB_OFFLINE
    for context in (one, other) if first_ends_first else (other, one):
        assert not constants.HF_HUB_OFFLINE
        context.__exit__(None, None, None)
    assert constants.HF_HUB_OFFLINE is offline


# Refusals -----------------------------------------------------------------------------------------------


def refused(match, repository=MODEL, revision=None, kind="model", patterns=()):
    for ask in (check_access, lambda *a: download(find_files(*a), Path("never"))):
        with pytest.raises(DownloadError, match=match) as caught:
            ask(repository, revision or commit(repository), kind, patterns)
        assert "\n" not in str(caught.value)
        assert "hf_" not in str(caught.value)
    assert not Path("never").exists()


def test_a_gated_model_says_where_to_accept_the_licence(server, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    server.gated.add(MODEL)
    refused(
        rf"model {MODEL} is gated and no token was found: accept its licence at {server.url}/{MODEL}.*HF_TOKEN"
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    refused("is gated and this token's account may not read it: accept its licence")
    server.gated.clear()
    server.requests.clear()
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert {token for _, _, token in server.requests} == {TOKEN}


def test_an_invalid_token_is_told(server, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 30)
    refused(r"refuses the token \(HTTP 401\); set HF_TOKEN to a valid one")


def test_what_is_not_there_is_told(server, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    refused(
        "maker/nothing: .*no such repository, or it is private; correct its name.*HF_TOKEN", "maker/nothing"
    )
    refused(f"no revision {'0' * 40} .*{server.url}/{MODEL}/commits/main", revision="0" * 40)
    server.add("dataset", DATASET, model)
    refused(
        r"dataset maker/texts .*no file matches 'en/\*\.parquet'",
        DATASET,
        kind="dataset",
        patterns=["en/*.parquet"],
    )
    refused(r"no file matches '\*\.parquet'", DATASET, kind="dataset", patterns=["*.json", "*.parquet"])


@pytest.mark.parametrize(
    ("status", "message"), [(403, "permission"), (429, "asks for patience"), (503, "run again later")]
)
def test_other_answers_are_told(server, model, monkeypatch, tmp_path, status, message):
    monkeypatch.chdir(tmp_path)
    server.status = status
    refused(rf"127.0.0.1:\d+ .*HTTP {status}.*{message}" if status != 429 else rf"{message} \(HTTP 429\)")


def test_no_network_is_told(server, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    server.close()
    refused("the connection to 127.0.0.1:.* failed .*login node")
    with pytest.raises(DownloadError, match=r"the connection to 127.0.0.1:\d+ failed"):
        check_url(f"{server.url}/files/x")


# Transfers that break -----------------------------------------------------------------------------------


def test_a_broken_transfer_goes_on_where_it_broke(server, model, tmp_path):
    size = (model / "model.safetensors").stat().st_size
    server.breaks["model.safetensors"] = [20_000, 30_000]
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert server.sent["model.safetensors"] == size


def test_files_at_another_host_arrive_go_on_and_see_no_token(server, model, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server.storage = True
    server.breaks["model.safetensors"] = [20_000, 30_000]
    assert check_access(MODEL, commit(), "model") == sum((model / name).stat().st_size for name in NEEDED)
    assert not server.sent
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert server.sent["model.safetensors"] == (model / "model.safetensors").stat().st_size
    asked = [(path, token) for _, path, token in server.requests]
    stored = [token for path, token in asked if path.startswith("/storage/")]
    assert stored == [""] * 3  # the transfer, and twice its rest
    assert {token for path, token in asked if not path.startswith("/storage/")} == {TOKEN}


def test_a_killed_download_goes_on_where_it_was(server, model, tmp_path):
    weights = model / "model.safetensors"
    weights.write_bytes(os.urandom(40_000_000))
    code = f"""
import sys; sys.path.insert(0, {str(SCRIPTS)!r})
from pathlib import Path
from crane.downloads.repository import download, find_files
download(find_files({MODEL!r}, {commit()!r}, "model"), Path({str(tmp_path / "mine")!r}))
"""
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.url,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "home"),
    }
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while server.sent["model.safetensors"] < 25_000_000 and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "mine").exists()
    (partial,) = tmp_path.glob(f".mine.{commit()[:12]}.download/.model.safetensors.download")
    kept = partial.stat().st_size
    assert 0 < kept < 40_000_000
    before = settled(server)
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == 0
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(weights)
    assert server.sent["model.safetensors"] - before["model.safetensors"] == 40_000_000 - kept
    assert server.sent["tokenizer.json"] == before["tokenizer.json"]  # whole files are not sent again
    assert not list(tmp_path.glob(".mine.*"))


def test_a_server_without_ranges_sends_the_whole_file_again(server, model, tmp_path):
    server.ranges = False
    server.breaks["model.safetensors"] = [20_000]
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert server.sent["model.safetensors"] == 20_000 + (model / "model.safetensors").stat().st_size


def test_what_another_file_left_behind_is_not_mixed_in(server, model, tmp_path):
    work = tmp_path / f".mine.{commit()[:12]}.download"
    work.mkdir()
    (work / ".model.safetensors.download").write_bytes(b"x" * 10_000)
    (work / "config.json").write_bytes(b"{}")
    old = tmp_path / f".mine.{'0' * 12}.download"
    old.mkdir()
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    for name in NEEDED:
        assert sha256(tmp_path / "mine" / name) == sha256(model / name)
    assert not list(tmp_path.glob(".mine.*"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])  # SHA-256 of LFS, git's name of others
def test_a_wrong_hash_is_one_error_and_leaves_nothing_wrong(server, model, tmp_path, name):
    server.damaged.add(name)
    with pytest.raises(
        DownloadError, match=rf"{name}: what 127.* sent is not the expected file: .*run again"
    ) as caught:
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mine").exists()
    assert not list(tmp_path.rglob(f"*{name}*.download"))
    server.damaged.clear()
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / name) == sha256(model / name)


def test_too_little_space_is_told_before_anything_is_downloaded(server, model, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10, 10))
    with pytest.raises(
        DownloadError, match=r"mine.*0\.00 GB are to be downloaded and 0\.00 GB are free; free some"
    ):
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert not server.sent


def test_a_full_disk_is_told(server, model, tmp_path):
    work = tmp_path / f".mine.{commit()[:12]}.download"
    work.mkdir()
    (work / ".model.safetensors.download").symlink_to("/dev/full")
    with pytest.raises(
        DownloadError, match=r"model\.safetensors: the disk is full .*No space left.*free some space"
    ):
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_folder_that_cannot_be_written_is_told(server, model, tmp_path):
    work = tmp_path / f".mine.{commit()[:12]}.download"
    (work / ".config.json.download").mkdir(parents=True)
    with pytest.raises(DownloadError, match=r"config\.json: .*Is a directory.*mend that"):
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")


class NearlyFull:
    """A file on a disk with room for some bytes, which fails as the kernel does: after what still fits."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        self.room -= self.file.write(data[: self.room])
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_download_goes_on_when_the_disk_has_room_again(server, model, monkeypatch, tmp_path):
    get = transfer.http_get
    with monkeypatch.context() as patched:
        patched.setattr(
            transfer, "http_get", lambda url, file, **more: get(url, NearlyFull(file, 30_000), **more)
        )
        with pytest.raises(DownloadError, match=r"model\.safetensors: the disk is full"):
            download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    before = settled(server)["model.safetensors"]
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert server.sent["model.safetensors"] - before == (model / "model.safetensors").stat().st_size - 30_000


def test_progress_has_rate_and_time_left(server, model, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(transfer, "DELAY", 0)
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    err = capfd.readouterr().err
    assert "[5/5] model.safetensors" in err
    assert "B/s" in err


# Files by address ---------------------------------------------------------------------------------------


def test_a_file_is_downloaded_by_its_hash(server, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    content = os.urandom(100_000)
    server.files["masks/a b.pth"] = content
    url, digest = f"{server.url}/files/masks/a%20b.pth", hashlib.sha256(content).hexdigest()
    assert check_url(url) == 100_000
    server.breaks["/files/masks/a b.pth"] = [40_000]
    download_url(url, tmp_path / "downloads" / "a.pth", digest)
    assert (tmp_path / "downloads" / "a.pth").read_bytes() == content
    assert server.sent["/files/masks/a b.pth"] == 100_000
    assert {token for *_, token in server.requests} == {""}  # the hub's token is the hub's alone
    with pytest.raises(DownloadError, match="not the expected file"):
        download_url(url, tmp_path / "downloads" / "b.pth", "0" * 64)
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == ["a.pth"]


PUBLISHED = {  # of RUCAIBox/Language-Specific-Neurons at fdeca23
    "mvicuna/en.txt": "b5ad91e4f24626314400d2bd6a850d063f3e605ccee215e975c462345b1ebe5c",
    "mvicuna/zh.txt": "09ff0209dd36387114102823dc6f1a2f0c290218f9c320a79700d3bb888a39b6",
    "mvicuna/vi.txt": "8a19420a47630ecf3e0007ec85ad014740f20b2a3f74ec13cb32e0102d785352",
    "LLaMA-2-7B.neuron.pth": "6653cb977fb85a5e61b21dd8f08480e7d69a18bdabdd6e374a56203b5c018c0d",
}


def test_the_published_files_are_downloaded_and_read(server, real_data, tmp_path):
    for name, digest in PUBLISHED.items():
        server.files[name] = (real_data / name).read_bytes()
        path = tmp_path / f"{digest[:8]}-{Path(name).name}"
        download_url(f"{server.url}/files/{name}", path, digest)
        if path.suffix == ".txt":
            assert len(read_questions(path)) == 70
        else:
            neurons = NeuronSet.read_lape(path, ["en", "zh", "fr", "es", "vi", "id", "ja"])
            counts = {language: neurons.total(language) for language in ("en", "zh", "vi")}
            assert counts == {"en": 95, "zh": 583, "vi": 836}


def test_a_finished_part_is_recognised(server, tmp_path):
    server.files["a.txt"] = b"questions"
    (tmp_path / ".a.txt.download").write_bytes(b"questions")
    download_url(f"{server.url}/files/a.txt", tmp_path / "a.txt", hashlib.sha256(b"questions").hexdigest())
    assert (tmp_path / "a.txt").read_bytes() == b"questions"
    assert not server.sent


def test_a_missing_file_is_told(server, tmp_path):
    with pytest.raises(
        DownloadError, match=r"nothing\.txt: 127.*does not have it \(HTTP 404\); correct its address"
    ):
        download_url(f"{server.url}/files/nothing.txt", tmp_path / "a.txt", "0" * 64)
    assert not list(tmp_path.glob("*a.txt*"))


# Corpora ------------------------------------------------------------------------------------------------

PART = [[f"Document {part} {i}, in which something is told." for i in range(300)] for part in range(5)]


@pytest.fixture
def texts(server, tmp_path):
    """Return the folder of a served data set: five files in English, one in Vietnamese."""
    folder = tmp_path / "texts"
    (folder / "en" / "deep").mkdir(parents=True)
    (folder / "vi").mkdir()
    for number, part in enumerate(PART):
        where = folder / "en" / ("deep" if number == 4 else "") / f"train-{number}.parquet"
        pd.DataFrame({"id": range(300), "text": part}).to_parquet(where)
    (folder / "vi" / "train-0.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in PART[0]))
    (folder / "README.md").write_text("---\n---\n")
    server.add("dataset", DATASET, folder)
    return folder


def english(count, seed=0):
    return draw_files(find_files(DATASET, commit(DATASET), "dataset", ["en/*.parquet"]), count, seed)


def names(snapshot):
    return [file.path for file in snapshot.files]


def test_files_are_drawn_by_the_seed(texts):
    found = find_files(DATASET, commit(DATASET), "dataset", ["en/*.parquet"])
    every = ["en/deep/train-4.parquet", *(f"en/train-{i}.parquet" for i in range(4))]
    assert names(found) == ["README.md", *every]
    assert names(draw_files(found, 9, 0)) == every
    drawn = {tuple(names(draw_files(found, 2, seed))) for seed in range(20)}
    assert len(drawn) > 5
    assert all(len(files) == 2 for files in drawn)
    assert set(names(draw_files(found, 2, 7))) <= set(names(draw_files(found, 3, 7)))


def test_the_paper_downloads_of_mmlu_what_its_tasks_read(server, tmp_path):
    subjects = hub_datasets.write_mmlu(tmp_path / "mmlu")
    for path in (
        "all/auxiliary_train-00000-of-00001.parquet",
        "auxiliary_train/train-00000-of-00001.parquet",
    ):
        (tmp_path / "mmlu" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "mmlu" / path).write_bytes(b"never read")
    server.add("dataset", "cais/mmlu", tmp_path / "mmlu")
    config = yaml.safe_load((SCRIPTS.parents[1] / "config" / "config.yaml").read_text(encoding="utf-8"))
    snapshot = find_files("cais/mmlu", commit("cais/mmlu"), "dataset", config["datasets"]["mmlu"]["files"])
    splits = ("dev", "test", "validation")
    read = {f"{part}/{split}-00000-of-00001.parquet" for part in [*subjects, "all"] for split in splits}
    assert set(names(snapshot)) == {"README.md", *read}
    download(snapshot, tmp_path / "downloaded")
    (task,) = benchmarks.load(
        "law", {"task": "mmlu_international_law", "dataset": str(tmp_path / "downloaded"), "fewshot": 5}
    )["tasks"].values()
    assert {doc["subject"] for doc in task.eval_docs} == {"international_law"}


def test_a_pool_is_the_sample_of_all_its_files(texts, server, tmp_path):
    seen = []
    for path in download_pool(english(9), tmp_path / "work", column="text", pool=100, seed=3):
        seen.append(path)
        assert not list((tmp_path / "work").rglob("train-*"))  # the file itself is deleted
    frame, facts = merge_pool(seen, 100, 3)
    expected = sample((text for part in PART for text in part), 100, 3)
    assert frame["text"].tolist() == expected.texts
    assert (facts["read"], facts["empty"], facts["duplicate"]) == (1500, 0, 0)
    assert facts["sha256"] == {file.path: sha256(texts / file.path) for file in english(9).files}
    assert all(len(read_metadata(path)["sha256"]) == 1 for path in seen)
    # Sampling fewer from the pool is sampling fewer from the files.
    assert sample(frame["text"], 20, 3).texts == expected.texts[:20]


def test_a_killed_corpus_goes_on_with_the_file_it_was_at(texts, server, tmp_path):
    path = texts / "en" / "train-1.parquet"
    pd.DataFrame({"text": [os.urandom(500).hex() for _ in range(300)]}).to_parquet(path)
    server.breaks["en/train-1.parquet"] = [50_000] + [0] * 30
    settings = {"column": "text", "pool": 50, "seed": 0}
    with pytest.raises(DownloadError, match=r"the connection to .* failed"):
        list(download_pool(english(9), tmp_path / "work", **settings))
    server.breaks.clear()
    first, before = server.sent["en/train-0.parquet"], server.sent["en/train-1.parquet"]
    samples = list(download_pool(english(9), tmp_path / "work", **settings))
    assert server.sent["en/train-0.parquet"] == first  # its sample was kept
    assert before == 50_000
    assert server.sent["en/train-1.parquet"] == path.stat().st_size
    whole = merge_pool(list(download_pool(english(9), tmp_path / "again", **settings)), 50, 0)[0]
    assert merge_pool(samples, 50, 0)[0]["text"].tolist() == whole["text"].tolist()


def test_other_formats_make_a_pool_too(texts, tmp_path):
    snapshot = draw_files(find_files(DATASET, commit(DATASET), "dataset", ["vi/train-0.jsonl"]), 1, 0)
    samples = list(download_pool(snapshot, tmp_path / "work", column="text", pool=1000, seed=0))
    assert sorted(merge_pool(samples, 1000, 0)[0]["text"]) == sorted(PART[0])
    assert sorted(read_documents(str(samples[0]))) == sorted(PART[0])
