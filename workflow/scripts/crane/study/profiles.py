"""The profiles that a Snakemake command uses: their files, found as Snakemake finds them."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


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
