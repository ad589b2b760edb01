"""Checks that take seconds, of what would otherwise fail hours later: data, keys, disk, cluster and GPU."""

import glob
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from crane.artefacts import read_json, read_metadata
from crane.checks import Named, PreflightError
from crane.costs import Stage, estimate, parameters
from crane.hub import check_access
from crane.study import Study
from crane.transfer import check_url

PATIENCE = 5
"""Seconds that a judge's endpoint is given for an answer, twice: it lists its models at once or is not up."""


def gpu_loads(study: Study) -> dict[str, tuple[float, str]]:
    """Return what one GPU is to hold: the study's section -> bytes of the largest model's weights, and its `dtype`.

    Raises:
        CostError: a model's size is not known.
    """
    largest = max(parameters(study, model) for model in study.evaluated_models)
    asked = {
        "relevance": parameters(study, study.identification_model),
        "evaluation": largest / study.config["evaluation"]["gpus"],  # spread over them
    }
    dtypes = {section: study.config[section]["dtype"] for section in asked}
    return {s: (count * (4 if dtypes[s] == "float32" else 2), dtypes[s]) for s, count in asked.items()}


def gpu(loads: Mapping[str, tuple[float, str]]) -> str:
    """Check the GPU of the node that this runs on.

    Args:
        loads: as of `gpu_loads`.

    Raises:
        PreflightError: there is none, or it is too small, or has no bfloat16.
    """
    import torch

    if not torch.cuda.is_available():
        raise PreflightError("PyTorch sees no GPU on this node; is it the CUDA build (`make vllm`)?")
    properties = torch.cuda.get_device_properties(0)
    found = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
    for section, (needed, _) in loads.items():
        if needed > properties.total_memory:
            raise PreflightError(
                f"{found}: {section}: the model's weights alone take {needed / 1e9:.0f} GB; ask for a larger GPU"
            )
    # Without emulation: a GPU that has no bfloat16 computes it, too, many times slower.
    lacking = [f"{section}.dtype" for section, (_, dtype) in loads.items() if dtype != "float32"]
    if lacking and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise PreflightError(f"{found}: no bfloat16; set {' and '.join(lacking)} to float32")
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
    # Imported here: only a local model needs transformers, whose import takes seconds.
    from crane.models import check_folder

    settings = study.config["models"][name]
    check_folder(Path(settings["path"]), name, settings["layers"], settings["intermediate_size"])
    return settings["path"]


def _hub(target: str, source: Mapping[str, Any], kind: str) -> str:
    manifest = Path(target) / "manifest.json"
    there = read_json(manifest) if manifest.exists() else {}
    if (there.get("source"), there.get("revision")) == (source["repository"], source["revision"]):
        return f"{target}, downloaded"
    size = check_access(source["repository"], source["revision"], kind, source.get("files", ()))
    found = f"{source['repository']} at {source['revision'][:12]}, {size / 1e9:.2f} GB to download"
    if not there:
        return found
    revision = there.get("revision")
    return f"{found} anew: {target} is {there.get('source')}{f' at {revision[:12]}' if revision else ''}"


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
    files = study.corpus_files(language)
    there = read_metadata(path).get("params", {}) if path.exists() else {}
    drawn = there.get("corpus", {})
    if there.get("pin") == files and drawn == {key: study.pick(key) for key in drawn}:
        return f"{path}, downloaded"
    size = check_access(files["repository"], files["revision"], "dataset", [files["files"]])
    read = study.config["corpora"]["max_files"]
    found = f"{files['repository']}, {files['files']}: {size / 1e9:.2f} GB, of which at most {read} files are read"
    return f"{found} anew: {path} was drawn from others, or otherwise" if there else found


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
    """Return the checks of the judges that are asked over the network: key and model, after a short wait."""
    return [(f"judges.{name}", partial(_judge, study, name)) for name in study.paid_judges]


def _judge(study: Study, name: str) -> str:
    from crane.judges.endpoint import Endpoint

    asked, speed = study.judge_request(name), study.judge_speed(name)
    endpoint = Endpoint(asked["base_url"], speed["key_variable"], min(speed["timeout"], PATIENCE))
    endpoint.settings["max_retries"] = 1
    endpoint.check_model(asked["model"])
    return f"{asked['model']} at {asked['base_url']}"


# Disk and cluster ---------------------------------------------------------------------------------------


def disk(study: Study) -> str:
    """Compare the free space with the estimate of what the study will write, less what each stage has written.

    Raises:
        PreflightError: there is less.
        CostError: a model's size is not known.
    """
    needed = sum(max(stage.disk - _written(study, stage), 0) for stage in estimate(study))
    folder = Path(study.results)
    there = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:,.0f} GB free, about {needed / 1e9:,.1f} GB still needed"
    if free < needed:
        raise PreflightError(f"{found}; free some space or put results/ on a larger disk")
    return found


def _written(study: Study, stage: Stage) -> int:
    """Return the bytes that a stage has in its folders; links to a local model's files are none."""
    folders = [folder for pattern in stage.folders for folder in Path(study.results).glob(pattern)]
    return sum(path.lstat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def partitions(rules: Mapping[str, str]) -> str:
    """Look for the partitions that the profile names.

    Args:
        rules: rule -> partition, of the rules that are submitted.

    Raises:
        PreflightError: there is no SLURM here, it does not answer, or it lacks one of them.
    """
    if shutil.which("sinfo") is None:
        raise PreflightError("there is no sinfo here; start Snakemake on a login node of the cluster")
    try:
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%R"], text=True, capture_output=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        raise PreflightError(
            "sinfo does not answer within 30 s; wait until the cluster's controller does"
        ) from None
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
