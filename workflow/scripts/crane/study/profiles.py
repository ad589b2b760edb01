"""The profiles that a Snakemake command uses: their files, as Snakemake finds them, and what they set for rules."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def profile_files(arguments: Sequence[str], folder: str | Path) -> list[Path]:
    """Return the files of the profiles that a command line names, or that Snakemake takes without being told.

    Args:
        arguments: of the command `snakemake`.
        folder: of the Snakefile.
    """
    # Imported here, because only Snakemake's main process needs it, and it has it.
    from snakemake.cli import get_profile_dir

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--profile", action="append", default=[])
    parser.add_argument("--workflow-profile", default="")
    given, _ = parser.parse_known_args(list(arguments))
    named = given.profile or [name for name in [os.environ.get("SNAKEMAKE_PROFILE", "")] if name]
    if given.workflow_profile != "none":
        name = Path(given.workflow_profile or "default")
        places = [name, Path("profiles") / name, Path(folder) / "profiles" / name]
        named += [str(place) for place in places if place.exists()][:1]
    found = [get_profile_dir(name) for name in named if name != "none"]
    return [Path(profile[1]) for profile in found if profile is not None]


def share_resources(workflow: Any, of: str, name: str) -> str:
    """Give a rule made in a loop the resources that a profile sets for `of`; return the rule's name.

    What the profile sets for the rule itself counts more.

    Args:
        workflow: Snakemake's, while the Snakefile is read.
        of: name in the profile.
        name: of the rule.
    """
    # Snakemake has parsed the settings before the first rule and looks into these tables.
    resources = workflow.resource_settings._parsed_overwrite_resources
    if of in resources:
        shared = resources[of].copy()
        shared.update(resources.get(name, {}))
        resources[name] = shared
    threads = workflow.resource_settings._parsed_overwrite_threads
    if of in threads:
        threads.setdefault(name, threads[of])
    return name


def resources_of_submitted(workflow: Any, resource: str) -> dict[str, Any]:
    """Return rule -> a resource, as written, for the rules that are submitted and have it."""
    return {
        each.name: each.resources[resource].raw
        for each in workflow.rules
        if not workflow.is_local(each) and resource in each.resources
    }


def partitions(workflow: Any) -> dict[str, str]:
    """Return rule -> partition, as set by this run's profile, for the rules that are submitted."""
    named = {
        name: str(partition).strip("'\"")
        for name, partition in resources_of_submitted(workflow, "slurm_partition").items()
    }
    return {name: partition for name, partition in named.items() if partition}
