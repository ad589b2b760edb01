"""Corpora: what is read, what is left out, and that the sample depends on the texts and the seed only."""

import gzip
import json
import random
import tracemalloc

import pandas as pd
import pytest
from crane.artefacts import ArtefactError
from crane.corpora.chunks import shard_rows, tokenise
from crane.corpora.documents import CorpusError, read_documents
from crane.corpora.sampling import sample
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = ["Paris is in France.", "Hà Nội ở Việt Nam.", "北京在中国。", "The yen is used in Japan."]


def write(folder, name, texts):
    path = folder / name
    if path.suffix == ".txt":
        path.write_text("".join(f"{t}\n" for t in texts), encoding="utf-8")
    elif name.endswith((".jsonl", ".gz")):
        text = "".join(json.dumps({"body": t, "n": 1}, ensure_ascii=False) + "\n" for t in texts)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    else:
        pd.DataFrame({"n": range(len(texts)), "body": texts}).to_parquet(path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".jsonl.gz", ".json.gz", ".parquet"])
def test_every_format_and_glob(tmp_path, suffix):
    write(tmp_path, f"b{suffix}", TEXTS[2:])
    write(tmp_path, f"a{suffix}", TEXTS[:2])
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", f"c{suffix}", ["deep"])

    def read(pattern):
        return [text.strip() for text in read_documents(str(tmp_path / pattern), "body")]

    assert read(f"*{suffix}") == TEXTS
    assert read(f"a{suffix}") == TEXTS[:2]
    assert read(f"**/*{suffix}") == [*TEXTS, "deep"]


def test_one_folder_of_mixed_formats(tmp_path):
    for name, text in zip(("1.txt", "2.jsonl", "3.parquet"), TEXTS, strict=False):
        write(tmp_path, name, [text])
    assert [t.strip() for t in read_documents(str(tmp_path / "*"), "body")] == TEXTS[:3]


def test_bad_files(tmp_path):
    with pytest.raises(CorpusError, match=r"no file matches '.*nothing\*'"):
        list(read_documents(str(tmp_path / "nothing*")))
    write(tmp_path, "a.jsonl", TEXTS)
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 1: no JSON object with 'text'"):
        list(read_documents(str(tmp_path / "a.jsonl"), "text"))
    write(tmp_path, "a.parquet", TEXTS)
    with pytest.raises(CorpusError, match=r"a\.parquet: no column 'text'; there are: n, body"):
        list(read_documents(str(tmp_path / "a.parquet"), "text"))
    with pytest.raises(CorpusError, match=r"a\.parquet: column 'n' holds int, not text"):
        list(read_documents(str(tmp_path / "a.parquet"), "n"))
    (tmp_path / "a.csv").write_text("text\n")
    with pytest.raises(
        CorpusError,
        match=r"a\.csv: unknown format; known: \.txt, \.jsonl, \.jsonl\.gz, \.json\.gz, \.parquet",
    ):
        list(read_documents(str(tmp_path / "a.csv")))


@pytest.mark.parametrize("line", ["{broken", "[1, 2]", '"text"', '{"text": 5}', '{"text": ["a"]}'])
def test_a_damaged_record_names_file_and_line(tmp_path, line):
    (tmp_path / "a.jsonl").write_text(f'{{"text": "fine"}}\n{line}\n')
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 2"):
        sample(read_documents(str(tmp_path / "a.jsonl")), 5, 0)


def test_damaged_bytes_name_the_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"fine\n\xff\xfe\n")
    with pytest.raises(CorpusError, match=r"a\.txt.*UTF-8"):
        list(read_documents(str(tmp_path / "a.txt")))
    for name in ("a.parquet", "a.jsonl.gz"):
        write(tmp_path, name, TEXTS)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])
        with pytest.raises(CorpusError, match=name.replace(".", r"\.")):
            list(read_documents(str(tmp_path / name), "body"))
    (tmp_path / "b.json.gz").write_bytes(b"plain text")
    with pytest.raises(CorpusError, match=r"b\.json\.gz: not a whole gzip file"):
        list(read_documents(str(tmp_path / "b.json.gz"), "body"))


# Sampling -----------------------------------------------------------------------------------------------


@given(parts=st.lists(st.lists(st.integers(0, 60), max_size=30), max_size=5), count=st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_samples_of_parts_merge_into_the_sample_of_the_whole(parts, count):
    documents = [[f"document {i}" for i in part] for part in parts]
    whole = sample((text for part in documents for text in part), count, 3).texts
    assert (
        sample((text for part in documents for text in sample(part, count, 3).texts), count, 3).texts == whole
    )


def test_empty_and_duplicate_documents_are_left_out_and_counted():
    documents = ["one", " one\n", "", "  \t", None, "two", "one"]
    found = sample(iter(documents), 10, seed=0)
    assert sorted(found.texts) == ["one", "two"]
    assert (found.read, found.empty, found.duplicate) == (7, 3, 2)


@given(count=st.integers(1, 40), seed=st.integers(0, 5), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_sample_depends_neither_on_order_nor_on_repetition(count, seed, shuffle):
    documents = [f"document {i}" for i in range(30)]
    expected = sample(iter(documents), count, seed)
    assert len(expected.texts) == len(set(expected.texts)) == min(count, 30)
    assert set(expected.texts) <= set(documents)
    repetitions = shuffle.choices(documents, k=20)
    again = documents + repetitions
    shuffle.shuffle(again)
    found = sample(iter(again), count, seed)
    assert found.texts == expected.texts
    assert (found.read, found.duplicate) == (50, sum(text in expected.texts for text in repetitions))


def test_memory_does_not_grow_with_what_is_read():
    def peak(documents):
        tracemalloc.start()
        sample((f"document {i}" for i in range(documents)), 20, 0)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(100_000) < 1.5 * peak(1_000)


def test_seeds_give_different_samples_and_smaller_ones_are_prefixes():
    documents = [f"document {i}" for i in range(200)]
    samples = {tuple(sample(iter(documents), 20, seed).texts) for seed in range(10)}
    assert len(samples) == 10
    assert sample(iter(documents), 5, 0).texts == sample(iter(documents), 20, 0).texts[:5]


def test_every_document_is_as_likely():
    documents = [f"document {i}" for i in range(20)]
    hits = dict.fromkeys(documents, 0)
    for seed in range(400):
        for text in sample(iter(documents), 5, seed).texts:
            hits[text] += 1
    assert sum((n - 100) ** 2 / 100 for n in hits.values()) < 60  # chi-square of 19 degrees; seeds are fixed


# Tokens -------------------------------------------------------------------------------------------------


def test_samples_start_with_bos_and_are_cut(tokenizer):
    frame = tokenise(TEXTS, tokenizer, 6, 3, "en")
    assert list(frame) == ["sample_id", "text_sha256", "input_ids"]
    assert frame["sample_id"].tolist() == [0, 1, 2]
    for text, ids in zip(TEXTS, frame["input_ids"], strict=False):
        assert ids == tokenizer(text).input_ids[:6]
        assert ids[0] == tokenizer.bos_token_id
        assert 2 <= len(ids) <= 6
    assert frame["text_sha256"].nunique() == 3


def test_too_few_documents_say_how_many(tokenizer):
    with pytest.raises(
        CorpusError,
        match=r"'vi': 4 usable documents, 6 are configured \(corpora\.documents\), "
        "3 left out as shorter than two tokens",
    ):
        tokenise(["", *TEXTS, "", ""], tokenizer, 8, 6, "vi")


@given(total=st.integers(1, 200), shards=st.integers(1, 20))
def test_shards_partition_the_rows(total, shards):
    if shards > total:
        with pytest.raises(ArtefactError, match=f"{total} samples cannot be cut into {shards} shards"):
            shard_rows(total, 0, shards)
        return
    parts = [shard_rows(total, shard, shards) for shard in range(shards)]
    assert [row for part in parts for row in part] == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("shard", [-1, 3])
def test_a_shard_that_does_not_exist(shard):
    with pytest.raises(ArtefactError, match="3 shards"):
        shard_rows(10, shard, 3)


@pytest.mark.parametrize("language", ["en", "vi", "zh"])
def test_the_published_questions_are_documents(real_data, language):
    found = sample(read_documents(str(real_data / "mvicuna" / f"{language}.txt")), 100, 0)
    assert found.read - found.empty == 70
    assert len(found.texts) + found.duplicate == 70
    shuffled = found.texts.copy()
    random.Random(0).shuffle(shuffled)
    assert sample(iter(shuffled), 10, 1).texts == sample(iter(found.texts), 10, 1).texts
