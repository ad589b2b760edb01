"""Transfers against a local hub, and what happens when they break."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from crane.downloads import transfer
from crane.downloads.repository import check_access, download, find_files
from crane.downloads.transfer import DownloadError, check_url, download_url, online
from crane.evaluation.question_files import read_open_questions
from crane.neurons.neuron_set import NeuronSet
from huggingface_hub import constants
from support.hub_server import TOKEN
from support.places import SCRIPTS
from support.served import MODEL, NEEDED, commit, settled, sha256

# Online -----------------------------------------------------------------------------------------------


def test_many_at_once_go_online_and_leave_the_switch_as_it_was(hub, model):
    """Each asks twice, and ends while others ask: none may find the offline switch on, nor leave it off."""
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: check_access(MODEL, commit(), "model"), range(40)))
    assert len(set(sizes)) == 1
    assert constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("first_ends_first", [True, False])
def test_overlapping_and_nested_contexts_stay_online_until_the_last_ends(
    hub, monkeypatch, offline, first_ends_first
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


# Transfers that break ---------------------------------------------------------------------------------


def test_a_broken_transfer_goes_on_where_it_broke(hub, model, tmp_path):
    size = (model / "model.safetensors").stat().st_size
    hub.breaks["model.safetensors"] = [20_000, 30_000]
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert hub.sent["model.safetensors"] == size


def test_files_at_another_host_arrive_go_on_and_see_no_token(hub, model, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.storage = True
    hub.breaks["model.safetensors"] = [20_000, 30_000]
    assert check_access(MODEL, commit(), "model") == sum((model / name).stat().st_size for name in NEEDED)
    assert not hub.sent
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert hub.sent["model.safetensors"] == (model / "model.safetensors").stat().st_size
    asked = [(path, token) for _, path, token in hub.requests]
    stored = [token for path, token in asked if path.startswith("/storage/")]
    assert stored == [""] * 3  # the transfer, and twice its rest
    assert {token for path, token in asked if not path.startswith("/storage/")} == {TOKEN}


def test_a_killed_download_goes_on_where_it_was(hub, model, tmp_path):
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
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "home"),
    }
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while hub.sent["model.safetensors"] < 25_000_000 and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "mine").exists()
    (partial,) = tmp_path.glob(f".mine.{commit()[:12]}.download/.model.safetensors.download")
    kept = partial.stat().st_size
    assert 0 < kept < 40_000_000
    before = settled(hub)
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == 0
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(weights)
    assert hub.sent["model.safetensors"] - before["model.safetensors"] == 40_000_000 - kept
    assert hub.sent["tokenizer.json"] == before["tokenizer.json"]  # whole files are not sent again
    assert not list(tmp_path.glob(".mine.*"))


def test_a_server_without_ranges_sends_the_whole_file_again(hub, model, tmp_path):
    hub.ranges = False
    hub.breaks["model.safetensors"] = [20_000]
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert hub.sent["model.safetensors"] == 20_000 + (model / "model.safetensors").stat().st_size


def test_what_another_file_left_behind_is_not_mixed_in(hub, model, tmp_path):
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
def test_a_wrong_hash_is_one_error_and_leaves_nothing_wrong(hub, model, tmp_path, name):
    hub.damaged.add(name)
    with pytest.raises(
        DownloadError, match=rf"{name}: 127.* did not send the expected file: .*run again"
    ) as caught:
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mine").exists()
    assert not list(tmp_path.rglob(f"*{name}*.download"))
    hub.damaged.clear()
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / name) == sha256(model / name)


def test_too_little_space_is_told_before_anything_is_downloaded(hub, model, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10, 10))
    with pytest.raises(
        DownloadError, match=r"mine.*0\.00 GB are to be downloaded and 0\.00 GB are free; free some"
    ):
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert not hub.sent


def test_a_full_disk_is_told(hub, model, tmp_path):
    work = tmp_path / f".mine.{commit()[:12]}.download"
    work.mkdir()
    (work / ".model.safetensors.download").symlink_to("/dev/full")
    with pytest.raises(
        DownloadError, match=r"model\.safetensors: the disk is full .*No space left.*free some space"
    ):
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_folder_that_cannot_be_written_is_told(hub, model, tmp_path):
    work = tmp_path / f".mine.{commit()[:12]}.download"
    (work / ".config.json.download").mkdir(parents=True)
    with pytest.raises(DownloadError, match=r"config\.json: .*Is a directory.*fix that"):
        download(find_files(MODEL, commit(), "model"), tmp_path / "mine")


class NearlyFull:
    """A file on a disk with room for some bytes, which fails as the kernel does: after what still fits."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        self.room -= self.file.write(data[: self.room])
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_download_goes_on_when_the_disk_has_room_again(hub, model, monkeypatch, tmp_path):
    get = transfer.http_get
    with monkeypatch.context() as patched:
        patched.setattr(
            transfer, "http_get", lambda url, file, **more: get(url, NearlyFull(file, 30_000), **more)
        )
        with pytest.raises(DownloadError, match=r"model\.safetensors: the disk is full"):
            download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    before = settled(hub)["model.safetensors"]
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    assert sha256(tmp_path / "mine" / "model.safetensors") == sha256(model / "model.safetensors")
    assert hub.sent["model.safetensors"] - before == (model / "model.safetensors").stat().st_size - 30_000


def test_progress_has_rate_and_time_left(hub, model, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(transfer, "DELAY", 0)
    download(find_files(MODEL, commit(), "model"), tmp_path / "mine")
    err = capfd.readouterr().err
    assert "[5/5] model.safetensors" in err
    assert "B/s" in err


# Files by address -------------------------------------------------------------------------------------


def test_a_file_is_downloaded_by_its_hash(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    content = os.urandom(100_000)
    hub.files["masks/a b.pth"] = content
    url, digest = f"{hub.url}/files/masks/a%20b.pth", hashlib.sha256(content).hexdigest()
    assert check_url(url) == 100_000
    hub.breaks["/files/masks/a b.pth"] = [40_000]
    download_url(url, tmp_path / "downloads" / "a.pth", digest)
    assert (tmp_path / "downloads" / "a.pth").read_bytes() == content
    assert hub.sent["/files/masks/a b.pth"] == 100_000
    assert {token for *_, token in hub.requests} == {""}  # the hub's token is the hub's alone
    with pytest.raises(DownloadError, match="did not send the expected file"):
        download_url(url, tmp_path / "downloads" / "b.pth", "0" * 64)
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == ["a.pth"]


PUBLISHED = {  # of RUCAIBox/Language-Specific-Neurons at fdeca23
    "mvicuna/en.txt": "b5ad91e4f24626314400d2bd6a850d063f3e605ccee215e975c462345b1ebe5c",
    "mvicuna/zh.txt": "09ff0209dd36387114102823dc6f1a2f0c290218f9c320a79700d3bb888a39b6",
    "mvicuna/vi.txt": "8a19420a47630ecf3e0007ec85ad014740f20b2a3f74ec13cb32e0102d785352",
    "LLaMA-2-7B.neuron.pth": "6653cb977fb85a5e61b21dd8f08480e7d69a18bdabdd6e374a56203b5c018c0d",
}


def test_the_published_files_are_downloaded_and_read(hub, real_data, tmp_path):
    for name, digest in PUBLISHED.items():
        hub.files[name] = (real_data / name).read_bytes()
        path = tmp_path / f"{digest[:8]}-{Path(name).name}"
        download_url(f"{hub.url}/files/{name}", path, digest)
        if path.suffix == ".txt":
            assert len(read_open_questions(path)) == 70
        else:
            neurons = NeuronSet.read_lape(path, ["en", "zh", "fr", "es", "vi", "id", "ja"])
            counts = {language: neurons.total(language) for language in ("en", "zh", "vi")}
            assert counts == {"en": 95, "zh": 583, "vi": 836}


def test_a_finished_part_is_recognised(hub, tmp_path):
    hub.files["a.txt"] = b"questions"
    (tmp_path / ".a.txt.download").write_bytes(b"questions")
    download_url(f"{hub.url}/files/a.txt", tmp_path / "a.txt", hashlib.sha256(b"questions").hexdigest())
    assert (tmp_path / "a.txt").read_bytes() == b"questions"
    assert not hub.sent


def test_a_missing_file_is_told(hub, tmp_path):
    with pytest.raises(
        DownloadError, match=r"nothing\.txt: 127.*does not have it \(HTTP 404\); correct the address"
    ):
        download_url(f"{hub.url}/files/nothing.txt", tmp_path / "a.txt", "0" * 64)
    assert not list(tmp_path.glob("*a.txt*"))
