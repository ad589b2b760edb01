"""Finished parts of evaluations and of relevance: computed once, kept when a job is killed, checked when read."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import read_json, read_table
from support.killing import PROC, kill
from support.slurm_study import tensors
from support.workspace import Workspace, plain

LANGUAGES = ["en", "vi"]
SHARDS = 3
SUITES = ["quiz", "again"]
pytestmark = pytest.mark.slow
needs_proc = pytest.mark.skipif(not PROC, reason="finds the job's process through /proc")


def stored(demo: dict[str, Any]) -> dict[str, Any]:
    """The demo's base model in two languages; the same questions in two suites, the same neurons in two mask sets."""
    config = plain(demo)
    for section in ("open_questions", "judges"):
        del config[section]
    config["study"] = "stored"
    config["languages"] = {code: config["languages"][code] for code in LANGUAGES}
    config["models"] = {"base": config["models"]["base"]}
    config["transfer_models"] = []
    config["demo"]["data"].update(documents=600, identification=200, benchmark=60)
    config["corpora"].update(documents=60, shards=SHARDS)
    crane = config["mask_sets"]["crane"]
    config["mask_sets"] = {"crane": crane, "cut": {**crane, "budget": {"match": "crane"}}}
    quiz = {code: config["benchmarks"][f"quiz_{code}"] for code in LANGUAGES}
    config["benchmarks"] = {f"{suite}_{code}": quiz[code] for suite in SUITES for code in LANGUAGES}
    config["suites"] = {suite: [f"{suite}_{code}" for code in LANGUAGES] for suite in SUITES}
    config["sweeps"] = {
        "budget": {"suite": "quiz", "mask_sets": ["crane"], "fractions": [0.1], "seeds": 1},  # crane itself
        "intervention": {"suite": "quiz", "mask_sets": ["crane"], "scales": [0.5], "mean": False},
    }
    return config


def answer_files(config: dict[str, Any]) -> list[str]:
    """Return the paths of all answers of the study."""
    results = "results/stored/evaluations/base"
    of_sets = [
        f"{results}/{name}/{suite}.parquet" for name in ["original", *config["mask_sets"]] for suite in SUITES
    ]
    return [*of_sets, f"{results}/crane-x0.5/quiz.parquet"]


def counted(workspace: Workspace, job: int = 0) -> tuple[int, int, int]:
    """Return what a job's log says: conditions, those that were computed, those that the store had."""
    log = workspace.results / "logs" / "evaluate_masks" / "base" / f"{job}.log"
    line = re.findall(
        r"^(\d+) conditions, (\d+) computed, (\d+) from the store$", log.read_text(), re.MULTILINE
    )
    return tuple(map(int, line[-1]))


@pytest.fixture(scope="module")
def whole(finished_study: Any, demo_config: dict[str, Any]) -> Workspace:
    """Return the study up to its answers; it is not to be changed."""
    config = stored(demo_config)
    return finished_study("stored", config, lambda workspace: workspace.run(*answer_files(config)))


@pytest.fixture
def study(whole: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """Return a copy of the finished study."""
    yield whole.copy_to(tmp_path / "study")
    shutil.rmtree(tmp_path / "study")


def answers(workspace: Workspace) -> dict[str, pd.DataFrame]:
    """Return all answers by mask set and suite."""
    folder = workspace.results / "evaluations" / "base"
    return {
        path.relative_to(folder).as_posix(): read_table(path) for path in sorted(folder.rglob("*.parquet"))
    }


def assert_equal(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    assert one.keys() == other.keys() and one
    for name, frame in one.items():
        pd.testing.assert_frame_equal(frame, other[name], check_exact=True)


# Once ---------------------------------------------------------------------------------------------------


def test_equal_masks_and_equal_questions_are_computed_once(whole: Workspace) -> None:
    # Original and two masks of two sets on four files of questions, and the sweep's two masks on two; the point of the
    # other sweep is the mask set itself. Of four files two are the same, and of two sets one.
    assert counted(whole) == (4 + 2 * 2 * 4 + 2 * 2, 2 + 2 * 2 + 2 * 2, 14)
    found = answers(whole)
    same = ["mask_language", "task", "doc_id", "doc_hash", "correct", "probability"]
    for other in ("crane/again", "cut/quiz", "cut/again"):
        pd.testing.assert_frame_equal(found["crane/quiz.parquet"][same], found[f"{other}.parquet"][same])
    assert set(found["cut/again.parquet"]["benchmark"]) == {"again_en", "again_vi"}
    assert set(found["cut/again.parquet"]["mask_set"]) == {"cut"}
    assert not found["crane/quiz.parquet"]["probability"].equals(
        found["crane-x0.5/quiz.parquet"]["probability"]
    )


def test_a_mask_set_added_computes_only_its_own_conditions(study: Workspace) -> None:
    before = answers(study)
    added = "results/stored/evaluations/base/more/quiz.parquet"
    sets = study.config["mask_sets"]
    more = {
        "crane": sets["crane"],
        "more": {**sets["crane"], "budget": {"fraction": 0.2}},
        "cut": sets["cut"],
    }
    with study.configured(lambda config: config.update(mask_sets=more)):
        assert study.planned(added) == {
            "select_neurons": 1,
            "evaluate_masks_base_0": 1,
            "collect_answers_quiz_mask_sets": 1,
        }
        study.run(added)
        assert counted(study) == (24 + 2 * 4, 2 * 2, 24 + 2 * 2)
        assert set(answers(study)) == {*before, "more/quiz.parquet"}
    # With the mask sets of before, which now shared a job with another one, nothing is asked again.
    assert study.planned(*answer_files(study.config)) == {"collect_answers_quiz_mask_sets": 1}


# Killed -------------------------------------------------------------------------------------------------


@needs_proc
def test_a_killed_evaluation_computes_the_mask_that_is_missing(study: Workspace) -> None:
    """Three masks (none, English, Vietnamese) on two files of questions: two of the masks are finished."""
    before = answers(study)["crane/quiz.parquet"]
    shutil.rmtree(study.results / "parts")
    shutil.rmtree(study.results / "evaluations")
    target = "results/stored/evaluations/base/crane/quiz.parquet"
    log = study.results / "logs" / "evaluate_masks" / "base" / "0.log"
    log.unlink()

    def one_set_one_suite(config: dict[str, Any]) -> None:
        config["mask_sets"] = {"crane": config["mask_sets"]["crane"]}
        config["suites"] = {"quiz": config["suites"]["quiz"]}
        config["benchmarks"] = {name: config["benchmarks"][name] for name in config["suites"]["quiz"]}
        del config["sweeps"]

    with study.configured(one_set_one_suite):
        with study.configured(lambda config: config["evaluation"].update(batch_tokens=1)):  # slowly
            kill(study, target, "evaluate_masks.py", lambda: log.exists() and "4 of 6" in log.read_text())
        study.run(target)
    assert counted(study) == (6, 2, 4)
    pd.testing.assert_frame_equal(read_table(study.folder / target), before, check_exact=False, rtol=1e-4)


@needs_proc
def test_a_killed_relevance_job_takes_the_finished_shards_from_the_store(study: Workspace) -> None:
    folder, store = study.results / "relevance" / "base" / "vi", study.results / "parts"
    target = f"results/stored/relevance/base/vi/{SHARDS - 1}.safetensors"
    with study.configured(lambda config: config["relevance"].update(batch_tokens=24)):  # slowly
        shutil.rmtree(folder)
        shutil.rmtree(store)
        study.run(target)
        undisturbed = {path.name: tensors(path.read_bytes()) for path in folder.iterdir()}
        assert len(undisturbed) == SHARDS
        shutil.rmtree(folder)
        shutil.rmtree(store)
        kill(study, target, "attribute_relevance.py", lambda: any(store.glob("*/*.safetensors")))
        kept = len(list(store.glob("*/*.safetensors")))
        assert 1 <= kept < SHARDS
        study.run(target)
    log = (study.results / "logs" / "attribute_relevance" / "base" / "vi" / "0.log").read_text()
    assert re.findall(r"^shard (\d): from the store$", log, re.MULTILINE) == [str(n) for n in range(kept)]
    assert {path.name: tensors(path.read_bytes()) for path in folder.iterdir()} == undisturbed


# Lost, cut and altered ----------------------------------------------------------------------------------


def test_a_lost_store_changes_no_result(study: Workspace) -> None:
    before = answers(study)
    shutil.rmtree(study.results / "parts")
    assert study.planned(*answer_files(study.config)) == {}  # nothing is missed
    shutil.rmtree(study.results / "evaluations")
    study.run(*answer_files(study.config))
    assert counted(study) == (24, 10, 14)
    assert_equal(answers(study), before)


def test_parts_that_are_cut_or_altered_are_computed_again(study: Workspace) -> None:
    before = answers(study)
    receipt = next((study.results / "parts" / "receipts" / "base" / "crane").glob("quiz-*.json"))
    cut, altered = (part_of(study, read_json(receipt)["en"][f"quiz_{code}"]) for code in LANGUAGES)
    content = bytearray(altered.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:-1])
    shutil.rmtree(study.results / "evaluations")

    # What collects the answers reads parts by their receipts alone: it refuses such a part, and the receipt.
    failed = study.run(*answer_files(study.config), "--keep-going", check=False)
    assert failed.returncode != 0
    logs = [path.read_text() for path in (study.results / "logs" / "collect_answers").rglob("*.log")]
    assert any(f"{cut.relative_to(study.folder)}: truncated or altered" in log for log in logs)
    assert any("run the same command again to compute it" in log for log in logs)
    assert not receipt.exists()

    study.run(*answer_files(study.config))
    log = (study.results / "logs" / "evaluate_masks" / "base" / "0.log").read_text()
    assert f"{altered.relative_to(study.folder)}: truncated or altered" in log
    assert counted(study) == (24, 2, 22)
    assert_equal(answers(study), before)


def part_of(workspace: Workspace, key: str) -> Path:
    """Return the file of a part."""
    (path,) = (workspace.results / "parts").glob(f"*/{key}-*")
    return path
