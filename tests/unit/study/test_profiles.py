"""The profiles of a command are found where Snakemake finds them."""

from pathlib import Path

import pytest
from crane.study.profiles import profile_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    for name in ("slurm", "profiles/local", "elsewhere/profiles/site"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.yaml").write_text("jobs: 1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], []),
        (["-n", "all", "--configfile", "a.yaml"], []),
        (["--profile", "slurm"], ["slurm/config.yaml"]),
        (["--profile=slurm", "all"], ["slurm/config.yaml"]),
        (["--profile", "slurm/config.yaml"], ["slurm/config.yaml"]),
        (["--profile", "none"], []),
        (["--profile", "nowhere"], []),
        (["--workflow-profile", "local"], ["profiles/local/config.yaml"]),
        (["--workflow-profile", "profiles/local"], ["profiles/local/config.yaml"]),
        (["--workflow-profile", "site"], ["elsewhere/profiles/site/config.yaml"]),
        (["--workflow-profile", "none"], []),
        (
            ["--profile", "slurm", "--workflow-profile", "local"],
            ["slurm/config.yaml", "profiles/local/config.yaml"],
        ),
    ],
)
def test_profiles_of_a_command(folder: Path, arguments: list[str], expected: list[str]) -> None:
    found = [path.resolve() for path in profile_files(arguments, folder / "elsewhere")]
    assert found == [folder.resolve() / name for name in expected]


def test_profiles_that_no_command_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "slurm")
    assert [path.parent.name for path in profile_files([], folder)] == ["slurm"]
    (folder / "profiles" / "local").rename(folder / "profiles" / "default")
    assert [path.parent.name for path in profile_files([], folder)] == ["slurm", "default"]
