"""The store of parts: whole or not there, found by what decides them, shared by several jobs."""

import multiprocessing
import os
import time

import pandas as pd
import pytest
from crane.artefacts import ArtefactError, read_metadata
from crane.parts import STALE, PartStore, part_key

DECIDING = {"model": "m", "prompts": "p", "settings": {"a": 1, "b": [1, 2]}}
KEY = part_key(DECIDING)


def table(value=1.0):
    return pd.DataFrame({"log_likelihood": [value, 2.0]})


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_key_is_of_all_values_and_of_no_order():
    assert len(KEY) == 64
    assert part_key(dict(reversed(DECIDING.items()))) == KEY
    assert part_key({**DECIDING, "settings": {"b": [1, 2], "a": 1}}) == KEY
    assert part_key({**DECIDING, "settings": {"a": 1, "b": [2, 1]}}) != KEY
    assert part_key({**DECIDING, "more": None}) != KEY


def test_a_part_is_read_as_it_was_written_and_says_what_decided_it(tmp_path):
    store = PartStore(tmp_path)
    assert KEY not in store
    store.write(KEY, table(), DECIDING)
    assert KEY in store
    pd.testing.assert_frame_equal(store.read(KEY), table())
    assert read_metadata(store.find(KEY)) == DECIDING
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["cut", "altered", "empty"])
def test_a_damaged_part_is_found_by_its_hash(tmp_path, capsys, damage):
    store = PartStore(tmp_path)
    store.write(KEY, table(), DECIDING)
    path = store.find(KEY)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-5], "altered": whole[:50] + b"!" + whole[51:], "empty": b""}[damage])
    assert KEY not in store
    assert "truncated or altered; computing it again" in capsys.readouterr().out
    assert files(tmp_path) == []
    store.write(KEY, table(), DECIDING)
    pd.testing.assert_frame_equal(store.read(KEY), table())


def test_a_missing_part_names_the_way_out(tmp_path):
    with pytest.raises(ArtefactError, match=rf"part {KEY[:12]} is missing; run the same command again"):
        PartStore(tmp_path).read(KEY)


def test_a_failed_write_leaves_nothing(tmp_path):
    def fail(path):
        path.write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        PartStore(tmp_path).keep(KEY, ".bin", fail)
    assert files(tmp_path) == []


def test_what_a_killed_job_left_is_removed_after_a_day(tmp_path):
    store = PartStore(tmp_path)
    store.write(KEY, table(), DECIDING)
    folder = store.find(KEY).parent
    for name, age in (("old", STALE + 60), ("new", 60)):
        path = folder / f".{KEY}-{name}.partial"
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    PartStore(tmp_path)
    assert [name for name in files(tmp_path) if "partial" in name] == [f".{KEY}-new.partial"]


def _write_often(folder, failures):
    store = PartStore(folder)
    for number in range(40):
        key = part_key({"number": number % 5})
        store.write(key, table(float(number % 5)), {})
        if store.read(key)["log_likelihood"].tolist() != [float(number % 5), 2.0]:
            failures.put(number)


def test_two_jobs_at_once_do_not_hurt_each_other(tmp_path):
    context = multiprocessing.get_context("spawn")
    failures = context.Queue()
    jobs = [context.Process(target=_write_often, args=(tmp_path, failures)) for _ in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0, 0]
    assert failures.empty()
    assert len(files(tmp_path)) == 5
