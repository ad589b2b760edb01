"""A pool of documents from the files of a data set, also when the download breaks."""

import json
import os

import pandas as pd
import pytest
from crane.artefacts import read_metadata
from crane.corpora.documents import read_documents
from crane.corpora.pool import download_pool, draw_files, merge_pool
from crane.corpora.sampling import sample
from crane.downloads.repository import find_files
from crane.downloads.transfer import DownloadError
from support.served import DATASET, commit, sha256

PART = [[f"Document {part} {i}, in which something is told." for i in range(300)] for part in range(5)]


@pytest.fixture
def texts(hub, tmp_path):
    """Return the folder of a served data set: five files in English, one in Vietnamese."""
    folder = tmp_path / "texts"
    (folder / "en" / "deep").mkdir(parents=True)
    (folder / "vi").mkdir()
    for number, part in enumerate(PART):
        where = folder / "en" / ("deep" if number == 4 else "") / f"train-{number}.parquet"
        pd.DataFrame({"id": range(300), "text": part}).to_parquet(where)
    (folder / "vi" / "train-0.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in PART[0]))
    (folder / "README.md").write_text("---\n---\n")
    hub.add("dataset", DATASET, folder)
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


def test_a_pool_is_the_sample_of_all_its_files(texts, hub, tmp_path):
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


def test_a_killed_corpus_goes_on_with_the_file_it_was_at(texts, hub, tmp_path):
    path = texts / "en" / "train-1.parquet"
    pd.DataFrame({"text": [os.urandom(500).hex() for _ in range(300)]}).to_parquet(path)
    hub.breaks["en/train-1.parquet"] = [50_000] + [0] * 30
    settings = {"column": "text", "pool": 50, "seed": 0}
    with pytest.raises(DownloadError, match=r"the connection to .* failed"):
        list(download_pool(english(9), tmp_path / "work", **settings))
    hub.breaks.clear()
    first, before = hub.sent["en/train-0.parquet"], hub.sent["en/train-1.parquet"]
    samples = list(download_pool(english(9), tmp_path / "work", **settings))
    assert hub.sent["en/train-0.parquet"] == first  # its sample was kept
    assert before == 50_000
    assert hub.sent["en/train-1.parquet"] == path.stat().st_size
    whole = merge_pool(list(download_pool(english(9), tmp_path / "again", **settings)), 50, 0)[0]
    assert merge_pool(samples, 50, 0)[0]["text"].tolist() == whole["text"].tolist()


def test_other_formats_make_a_pool_too(texts, tmp_path):
    snapshot = draw_files(find_files(DATASET, commit(DATASET), "dataset", ["vi/train-0.jsonl"]), 1, 0)
    samples = list(download_pool(snapshot, tmp_path / "work", column="text", pool=1000, seed=0))
    assert sorted(merge_pool(samples, 1000, 0)[0]["text"]) == sorted(PART[0])
    assert sorted(read_documents(str(samples[0]))) == sorted(PART[0])
