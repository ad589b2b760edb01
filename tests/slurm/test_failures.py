"""Jobs that end badly on a cluster: cancelled, out of time, killed, and wrong in themselves."""

import json
import os
import signal
from pathlib import Path

import pandas as pd
import pytest
from crane.artefacts import read_jsonl, read_table
from support.killing import wait_for
from support.slurm_study import Study, tensors, wildcards_of

pytestmark = pytest.mark.slow
# One minute for the first attempt at the second shards, eight for the second attempt.
QUICK = """
  attribute_relevance_1:
    <<: *gpu
    runtime: attempt ** 3
"""


class Failed:
    """Four jobs made anew with one retry: three shards that fare badly once, and prompts that cannot be made."""

    def __init__(self, study: Study) -> None:
        self.workspace, cluster = study.workspace, study.workspace.cluster
        results = self.workspace.results
        self.shards = {
            fate: results / "relevance" / "base" / f"{shard}.safetensors"
            for fate, shard in {"cancelled": "en/0", "timeout": "en/1", "killed": "vi/0"}.items()
        }
        self.prompts = results / "prompts" / "base" / "quiz_en.parquet"
        self.undisturbed = {path: path.read_bytes() for path in self.shards.values()}
        self.undisturbed_prompts = read_table(self.prompts)
        self.questions = results / "generated" / "en" / "benchmark.jsonl"
        self.whole_questions, self.when = self.questions.read_bytes(), self.questions.stat().st_mtime_ns
        self.left_by_kill: set[str] | None = None
        self._before = set(cluster.jobs())

        questions = read_jsonl(self.questions)
        questions[3]["answer"] = 4
        self.questions.write_text("".join(json.dumps(q) + "\n" for q in questions), encoding="utf-8")
        os.utime(self.questions, ns=(self.when, self.when))
        made = [*self.shards.values(), self.prompts]
        for path in [*made, *results.glob("parts/*/*.safetensors")]:  # nor in the store
            path.unlink()
        self.targets = [str(path.relative_to(self.workspace.folder)) for path in made]
        self.log = self.workspace.folder / "failures.log"
        # In the profile's copy, as a user would: `--set-resources` would replace the profile's whole block.
        profile = self.workspace.folder / "profiles" / "slurm" / "config.yaml"
        whole_profile = profile.read_text(encoding="utf-8")
        profile.write_text(whole_profile + QUICK, encoding="utf-8")
        with self.workspace.start(*self.targets, "--retries", "1", log=self.log) as driver:
            try:
                self._treat()
                self.returncode = driver.wait(timeout=600)
            except BaseException:
                driver.send_signal(signal.SIGINT)
                raise
        profile.write_text(whole_profile)
        self.output = self.log.read_text(errors="replace")

    def jobs(self, rule: str, wildcards: str) -> list[dict[str, str]]:
        """Return the attempts of one of the jobs, in order."""
        return [
            job
            for job in self.workspace.jobs_of(rule)
            if job["JobId"] not in self._before and wildcards_of(job) == wildcards
        ]

    def attempts(self, fate: str) -> list[dict[str, str]]:
        """Return the attempts at the shard of one fate."""
        shard = self.shards[fate]
        return self.jobs(f"attribute_relevance_{shard.stem}", f"base_{shard.parent.name}")

    def _treat(self) -> None:
        """Let each first attempt have its fate as soon as its script runs."""
        fates = {"cancelled": self._cancel, "timeout": self._stop, "killed": self._kill}
        treated: set[str] = set()

        def all_treated() -> bool:
            for fate, treat in fates.items():
                attempts = [] if fate in treated else self.attempts(fate)
                if attempts and treat(attempts[0]["JobId"]):
                    treated.add(fate)
            return len(treated) == len(fates)

        wait_for(all_treated, 400, "the first attempts")

    def _cancel(self, job: str) -> bool:
        if not self._processes(job):
            return False
        self.workspace.cluster.cancel(job)
        return True

    def _stop(self, job: str) -> bool:
        """Stop the script: it stands still until its time is over."""
        processes = self._processes(job)
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        return bool(processes)

    def _kill(self, job: str) -> bool:
        """Kill the script while it works, as the kernel does when memory is short."""
        log = self.workspace.results / "logs" / "attribute_relevance" / "base" / "vi" / "0.log"
        if not log.exists() or f"SLURM job {job}\n" not in log.read_text(errors="replace"):
            return False
        self._stop(job)
        for pid in self._processes(job):
            os.kill(pid, signal.SIGKILL)
        # Unfinished files are hidden: `.0.safetensors.partial`.
        folder = self.shards["killed"].parent
        self.left_by_kill = {p.name for p in folder.iterdir() if p.name.removeprefix(".").startswith("0.")}
        return True

    @staticmethod
    def _processes(job: str) -> list[int]:
        """Return the interpreters that run the script of one SLURM job."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().decode().split("\0")
                own = f"SLURM_JOB_ID={job}".encode() in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if (
                own
                and "python" in command[0]
                and command[-2:-1]
                and command[-2].endswith("attribute_relevance.py")
            ):
                found.append(int(entry.name))
        return found


@pytest.fixture(scope="module")
def failed(study: Study) -> Failed:
    return Failed(study)


@pytest.mark.parametrize(
    "fate, state, limits",
    [
        ("cancelled", "CANCELLED", ["02:00:00", "04:00:00"]),
        ("timeout", "TIMEOUT", ["00:01:00", "00:08:00"]),
        ("killed", "FAILED", ["02:00:00", "04:00:00"]),
    ],
)
def test_a_job_that_ends_badly_is_reported_and_tried_again_with_more(
    failed: Failed, fate: str, state: str, limits: list[str]
) -> None:
    first, second = failed.attempts(fate)
    assert (first["JobState"], second["JobState"]) == (state, "COMPLETED")
    assert f"SLURM-job '{first['JobId']}' failed, SLURM status is: '{state}'" in failed.output
    assert [job["TimeLimit"] for job in (first, second)] == limits
    assert [job["MinMemoryNode"] for job in (first, second)] == ["32000M", "62.50G"]  # 64,000 MB
    assert [job["TresPerJob"] for job in (first, second)] == ["gres:gpu:1"] * 2


def test_what_was_made_at_the_second_attempt_equals_what_was_there(failed: Failed) -> None:
    for path, content in failed.undisturbed.items():
        assert tensors(path.read_bytes()) == tensors(content)


def test_a_killed_job_leaves_nothing_under_the_final_name(failed: Failed) -> None:
    """Killed while it measures; tests/unit/test_artefacts.py kills one while it writes."""
    assert failed.left_by_kill is not None
    assert failed.left_by_kill <= {".0.safetensors.partial"}
    assert not list(failed.workspace.results.rglob("*.partial"))  # after the second attempt


def test_a_job_with_an_error_of_its_own_is_reported_after_its_last_attempt(failed: Failed) -> None:
    attempts = failed.jobs("render_prompts", "base_quiz_en")
    assert [job["JobState"] for job in attempts] == ["FAILED"] * 2
    assert failed.returncode != 0
    assert "line 4: 'answer' 4 is none of its 4 choices" in failed.output
    assert not failed.prompts.exists()


def test_only_what_is_missing_is_submitted_after_the_error_is_mended(failed: Failed) -> None:
    before = set(failed.workspace.cluster.jobs())
    failed.questions.write_bytes(failed.whole_questions)
    os.utime(failed.questions, ns=(failed.when, failed.when))
    failed.workspace.run(*failed.targets)
    new = [job for job in failed.workspace.cluster.jobs().values() if job["JobId"] not in before]
    assert [wildcards_of(job) for job in new] == ["base_quiz_en"]
    pd.testing.assert_frame_equal(read_table(failed.prompts), failed.undisturbed_prompts, check_exact=True)
