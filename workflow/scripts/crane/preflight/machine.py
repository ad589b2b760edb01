"""Checks of the machine that a study runs on: GPU, disk, and the cluster's partitions."""

import math
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from crane.preflight.checks import PreflightError
from crane.preflight.plan import Stage, estimate, parameters
from crane.study.study import Study


def gpu_loads(study: Study) -> dict[str, tuple[float, str]]:
    """Return what one GPU must hold: section of the study -> bytes of the largest model's weights, and `dtype`.

    Raises:
        CostError: a model's size is unknown.
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
        loads: from `gpu_loads`.

    Raises:
        PreflightError: there is none, it is too small, or it lacks bfloat16.
    """
    import torch

    if not torch.cuda.is_available():
        raise PreflightError("PyTorch sees no GPU on this node; is it the CUDA build (`make vllm`)?")
    properties = torch.cuda.get_device_properties(0)
    card = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
    for section, (needed, _) in loads.items():
        if needed > properties.total_memory:
            raise PreflightError(
                f"{card}: {section}: the model's weights alone take {needed / 1e9:.0f} GB; ask for a larger GPU"
            )
    # Without emulation, because a GPU without bfloat16 can emulate it, many times slower.
    lacking = [f"{section}.dtype" for section, (_, dtype) in loads.items() if dtype != "float32"]
    if lacking and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise PreflightError(f"{card}: no bfloat16; set {' and '.join(lacking)} to float32")
    return card


def disk(study: Study) -> str:
    """Compare the free space with the estimated size of the study, minus what each stage has written already.

    Raises:
        PreflightError: there is too little.
        CostError: a model's size is unknown.
    """
    needed = sum(max(stage.disk - _written(study, stage), 0) for stage in estimate(study))
    folder = Path(study.results)
    existing = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    space = f"{free / 1e9:,.0f} GB free, about {needed / 1e9:,.1f} GB still needed"
    if free < needed:
        raise PreflightError(f"{space}; free some space or put results/ on a larger disk")
    return space


def _written(study: Study, stage: Stage) -> int:
    """Return the bytes in a stage's folders; links to a local model's files do not count."""
    folders = [folder for pattern in stage.folders for folder in Path(study.results).glob(pattern)]
    return sum(path.lstat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def partitions(rules: Mapping[str, str], runtimes: Mapping[str, int | str | None]) -> str:
    """Check that the partitions named by the profile exist, and that they allow the time that the jobs ask for.

    Args:
        rules: rule -> partition, for the rules that are submitted.
        runtimes: rule -> minutes, or an expression like `attempt * 120`; the first attempt is checked.

    Raises:
        PreflightError: SLURM is missing, does not answer, lacks a partition, or allows less time than a rule asks for.
    """
    limits = _limits()
    for rule, partition in rules.items():
        named = partition.split(",")
        if missing := set(named) - limits.keys():
            raise PreflightError(
                f"rule {rule}: there is no partition {', '.join(sorted(missing))}; there are: "
                f"{', '.join(sorted(limits))}; correct profiles/slurm/config.yaml"
            )
        asked = _first_minutes(runtimes.get(rule))
        allowed = max(limits[name] for name in named)
        if asked is not None and asked > allowed:
            raise PreflightError(
                f"rule {rule}: runtime {asked:,} is {asked / 60:,.1f} hours, but partition {partition} allows "
                f"{allowed / 60:,.1f}; set runtime, in minutes, to {allowed:,.0f} or less in profiles/slurm/config.yaml"
            )
    return ", ".join(sorted(set(rules.values())))


def _limits() -> dict[str, float]:
    """Return partition -> minutes that it allows a job, as SLURM says."""
    if shutil.which("sinfo") is None:
        raise PreflightError("there is no sinfo here; start Snakemake on a login node of the cluster")
    try:
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%R %l"], text=True, capture_output=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        raise PreflightError(
            "sinfo does not answer within 30 s; wait until the cluster's controller does"
        ) from None
    if done.returncode:
        raise PreflightError(f"sinfo fails: {done.stderr.strip()}")
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    return {line[0]: _minutes_of(line[1]) if len(line) > 1 else math.inf for line in lines}


def _minutes_of(limit: str) -> float:
    """Return the minutes of a time as sinfo prints it, [D-][HH:]MM:SS; infinite for `infinite` and the like."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if found is None:
        return math.inf
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + minutes + seconds / 60


def _first_minutes(runtime: int | str | None) -> int | None:
    """Return the minutes that a rule's first attempt asks for; None if its files decide."""
    found = re.fullmatch(r"(?:attempt *\* *)?(\d+)(?: *\* *attempt)?", str(runtime).strip())
    return int(found[1]) if found else None
