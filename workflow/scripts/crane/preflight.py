"""Checks that take seconds, of what would otherwise fail hours later: one line each."""

import glob
import importlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from crane.artefacts import read_json, write_json
from crane.costs import estimate
from crane.errors import CraneError
from crane.hub import check_access
from crane.models import check_folder
from crane.study import Study
from crane.transfer import check_url


class PreflightError(CraneError, RuntimeError):
    """A check has failed; the message says what to do."""


class Check(NamedTuple):
    """The outcome of one check."""

    name: str
    passed: bool
    text: str
    """What was found or, where it failed, what to do."""


Named = tuple[str, Callable[[], str]]
"""A check that was not made yet: it returns what it found, and raises `CraneError` where it fails."""


def make(checks: Sequence[Named]) -> list[Check]:
    """Make checks side by side; most of them wait for the network."""

    def attempt(named: Named) -> Check:
        name, check = named
        try:
            return Check(name, True, check())
        except CraneError as error:
            return Check(name, False, " ".join(str(error).split()))

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(attempt, checks))


def render(checks: Sequence[Check]) -> str:
    """Return one line per check."""
    return "\n".join(f"{'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.text}" for check in checks)


def write_checks(checks: Sequence[Check], path: str | Path) -> None:
    """Print the checks and write them for `read_checks`."""
    print(render(checks))
    write_json([check._asdict() for check in checks], path)


def read_checks(path: str | Path) -> list[Check]:
    """Read a file of `write_checks`."""
    return [Check(**record) for record in read_json(path)]


# Environments -------------------------------------------------------------------------------------------


def environment(modules: Sequence[str]) -> str:
    """Import the modules that an environment's rules need, in this interpreter."""
    found, failed = [], []
    for module in modules:
        try:
            found.append(f"{module} {getattr(importlib.import_module(module), '__version__', '')}".strip())
        except Exception as error:  # whatever an import says is the report
            failed.append(f"{module} ({type(error).__name__}: {error})")
    if failed:
        raise PreflightError(f"cannot import {'; '.join(failed)}; install the environment again")
    return ", ".join(found)


def gpu(needed: float, dtype: str) -> str:
    """Check the GPU of the node that this runs on.

    Args:
        needed: bytes of the model's weights.
        dtype: `auto`, `bfloat16` or `float32`.
    """
    import torch

    if not torch.cuda.is_available():
        raise PreflightError("PyTorch sees no GPU on this node; is it the CUDA build (`make vllm`)?")
    properties = torch.cuda.get_device_properties(0)
    found = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
    if needed > properties.total_memory:
        raise PreflightError(
            f"{found}: the model's weights alone take {needed / 1e9:.0f} GB; ask for a larger GPU"
        )
    if dtype in ("auto", "bfloat16") and not torch.cuda.is_bf16_supported():
        raise PreflightError(f"{found}: no bfloat16; set relevance.dtype and evaluation.dtype to float32")
    return found


# Models, data, judges -----------------------------------------------------------------------------------


def sources(study: Study) -> list[Named]:
    """Return the checks of every model, data set, text and imported mask: there, or ready to be downloaded."""
    return [*_models(study), *_datasets(study), *_corpora(study), *_files(study)]


def _models(study: Study) -> Iterator[Named]:
    for name, model in study.config["models"].items():
        if model["source"] == "local":
            yield f"models.{name}", partial(_local_model, study, name)
        elif model["source"] == "hub":
            yield f"models.{name}", partial(_hub, f"{study.results}/models/{name}", model, "model")


def _local_model(study: Study, name: str) -> str:
    settings = study.config["models"][name]
    check_folder(Path(settings["path"]), name, settings["layers"], settings["intermediate_size"])
    return settings["path"]


def _hub(target: str, source: Mapping[str, Any], kind: str) -> str:
    if (Path(target) / "manifest.json").exists():
        return f"{target}, downloaded"
    size = check_access(source["repository"], source["revision"], kind, source.get("files", ()))
    return f"{source['repository']} at {source['revision'][:12]}, {size / 1e9:.2f} GB to download"


def _datasets(study: Study) -> Iterator[Named]:
    for name, dataset in study.config.get("datasets", {}).items():
        yield f"datasets.{name}", partial(_hub, f"{study.results}/datasets/{name}", dataset, "dataset")


def _corpora(study: Study) -> Iterator[Named]:
    source = study.config["corpora"]["source"]
    for language in study.languages:
        name, path = f"corpora.{language}", study.documents(language)
        if source == "local":
            yield name, partial(_local_files, path)
        elif source == "hub":
            yield name, partial(_hub_corpus, study, language)


def _hub_corpus(study: Study, language: str) -> str:
    path = Path(study.documents(language))
    if path.exists():
        return f"{path}, downloaded"
    files = study.corpus_files(language)
    size = check_access(files["repository"], files["revision"], "dataset", [files["files"]])
    read = study.config["corpora"]["max_files"]
    return f"{files['repository']}, {files['files']}: {size / 1e9:.2f} GB, of which at most {read} files are read"


def _local_files(pattern: str) -> str:
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - a pattern may be absolute
    if not found:
        raise PreflightError(f"no file matches {pattern!r}")
    return f"{len(found)} file{'s' * (len(found) > 1)}, {sum(map(os.path.getsize, found)) / 1e6:,.1f} MB"


def _files(study: Study) -> Iterator[Named]:
    """Return the checks of the files that a study names: questions, benchmark data, imported masks."""
    named: dict[str, str] = {}
    if study.config["open_questions"]["source"] == "local":
        named |= {f"open_questions.files.{lang}": study.questions(lang) for lang in study.languages}
    for name, benchmark in study.config["benchmarks"].items():
        if benchmark.get("data", "generated") != "generated":
            named[f"benchmarks.{name}.data"] = benchmark["data"]
    for name in study.by_method("import"):
        named[f"mask_sets.{name}.file"] = study.file(study.mask_sets[name]["file"])
    for name, path in named.items():
        download = study.downloads.get(Path(path).name)
        yield name, partial(_download, path, download["url"]) if download else partial(_local_files, path)


def _download(path: str, url: str) -> str:
    if Path(path).exists():
        return f"{path}, downloaded"
    size = check_url(url)
    return f"{url}, {'size not told' if size is None else f'{size / 1e6:.2f} MB'} to download"


def judges(study: Study) -> list[Named]:
    """Return the checks of the judges that are asked over the network: key and model."""
    return [(f"judges.{name}", partial(_judge, study, name)) for name in study.paid_judges]


def _judge(study: Study, name: str) -> str:
    from crane.judges.endpoint import Endpoint

    asked, speed = study.judge_request(name), study.judge_speed(name)
    Endpoint(asked["base_url"], speed["key_variable"], min(speed["timeout"], 30)).check_model(asked["model"])
    return f"{asked['model']} at {asked['base_url']}"


# Disk and cluster ---------------------------------------------------------------------------------------


def disk(study: Study) -> str:
    """Compare the free space with the estimate of what the study will write."""
    needed = sum(stage.disk for stage in estimate(study))
    folder = Path(study.results)
    there = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:,.0f} GB free, about {needed / 1e9:,.1f} GB needed"
    if free < needed:
        raise PreflightError(f"{found}; free some space or put results/ on a larger disk")
    return found


def partitions(rules: Mapping[str, str]) -> str:
    """Look for the partitions that the profile names.

    Args:
        rules: rule -> partition, of the rules that are submitted.
    """
    if shutil.which("sinfo") is None:
        raise PreflightError("there is no sinfo here; start Snakemake on a login node of the cluster")
    done = subprocess.run(
        ["sinfo", "-h", "-o", "%R"], text=True, capture_output=True, timeout=30, check=False
    )
    if done.returncode:
        raise PreflightError(f"sinfo fails: {done.stderr.strip()}")
    known = set(done.stdout.split())
    for rule, partition in rules.items():
        if missing := set(partition.split(",")) - known:
            raise PreflightError(
                f"rule {rule}: there is no partition {', '.join(sorted(missing))}; there are: "
                f"{', '.join(sorted(known))}; correct profiles/slurm/config.yaml"
            )
    return ", ".join(sorted(set(rules.values())))
