"""Print one line per check, on the terminal and in the log; fail if any check failed."""

from pathlib import Path
from typing import Any

from crane.artefacts import write_text
from crane.preflight.checks import read_checks, render


def main(snakemake: Any) -> None:
    """Run the rule `preflight` or `preflight_gpu`."""
    checks = [check for path in snakemake.input for check in read_checks(path)]
    for path in snakemake.input:  # the next preflight repeats every check
        Path(path).unlink()
    failed = sum(not check.passed for check in checks)
    report = f"{render(checks)}\n{len(checks)} checks, {failed} failed"
    write_text(report + "\n", snakemake.log[0])
    print(report)
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(snakemake)
