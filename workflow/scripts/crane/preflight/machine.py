"""Checks of the machine that a study runs on: GPU, disk, and the cluster's partitions."""

import math
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from crane.preflight.checks import PreflightError
from crane.preflight.plan import Stage, estimate, parameters
from crane.preflight.relevance_memory import relevance_fit
from crane.relevance.memory import TooSmallError
from crane.study.study import Study


def gpu(study: Study) -> str:
    """Check the GPU of the node that this runs on, and return it with how relevance will use its memory.

    Raises:
        PreflightError: there is none, it is too small, or it lacks bfloat16.
        CostError: a model's size is unknown.
    """
    import torch

    if not torch.cuda.is_available():
        raise PreflightError("PyTorch sees no GPU on this node; is it the CUDA build (`make vllm`)?")
    properties = torch.cuda.get_device_properties(0)
    card = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
    settings = {section: study.config[section] for section in ("relevance", "evaluation")}
    largest = max(parameters(study, model) for model in study.evaluated_models)
    shared = (
        largest * (4 if settings["evaluation"]["dtype"] == "float32" else 2) / settings["evaluation"]["gpus"]
    )
    if shared > properties.total_memory:
        raise PreflightError(
            f"{card}: evaluation: the model's weights alone take {shared / 1e9:.0f} GB; ask for a larger GPU"
        )
    try:
        way = relevance_fit(study, parameters(study, study.identification_model), properties.total_memory)
    except TooSmallError as error:
        raise PreflightError(f"{card}: {error}") from error
    # Without emulation, because a GPU without bfloat16 can emulate it, many times slower.
    lacking = [f"{section}.dtype" for section, of in settings.items() if of["dtype"] != "float32"]
    if lacking and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise PreflightError(f"{card}: no bfloat16; set {' and '.join(lacking)} to float32")
    return f"{card}; relevance: {way}"


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
