"""How long a study of 50 languages x 30 mask sets takes to be parsed and planned: `make bench-planning`."""

import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
LANGUAGES, MASK_SETS, LAYERS, SHARDS = 50, 30, 32, 8


def study(folder: Path) -> dict[str, Any]:
    """Return the paper's study with local files, more languages and more random mask sets."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    languages = ["".join(pair) for pair in product("abcde", "abcdefghij")][:LANGUAGES]
    config["languages"] = {code: {"name": code.upper()} for code in languages}
    for model in config["models"].values():
        for key in ("repository", "revision"):
            del model[key]
        model.update(source="local", path=str(folder), layers=LAYERS)
    for key in ("datasets", "published"):
        del config[key]
    sets = config["mask_sets"]
    del sets["lape_official"]
    sets["random"]["seeds"] = MASK_SETS - (len(sets) - 1)
    files = {code: str(folder / f"{code}.txt") for code in languages}
    config["corpora"] = {
        "source": "local", "files": files, "column": "text", "documents": 5000, "max_tokens": 2048, "seed": 0,
        "shards": SHARDS,
    }  # fmt: skip
    config["benchmarks"] = {
        code: {"label": code, "language": code, "task": f"belebele_{code}", "fewshot": 5, "chance": 0.25}
        for code in languages
    }
    config["suites"] = {"nlu": languages}
    config["open_questions"].update(files=files, suffix=dict.fromkeys(languages, ""))
    for path in files.values():
        Path(path).touch()
    return config


def main() -> None:
    """Plan the study and print the number of jobs and the time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(yaml.safe_dump(study(Path(folder)), sort_keys=False), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("snakemake")), "--dry-run", "--quiet", "rules",
                   "--workflow-profile", "profiles/local", "--configfile", str(path)]  # fmt: skip
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
        seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    jobs = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("total"))
    print(f"{LANGUAGES} languages x {MASK_SETS} mask sets: {jobs} jobs planned in {seconds:.1f} s")


if __name__ == "__main__":
    main()
