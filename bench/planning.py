"""How long studies of many languages, or of many random seeds, take to be planned: `make bench-planning`."""

import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
LAYERS, SHARDS, SEEDS = 32, 8, 200
SIZES = {(50, 30): 0, (3, 9): 0, (3, 9, "on a part of the questions"): SEEDS}
"""Languages and mask sets -> further random sets on a part of the questions."""


def study(folder: Path, wanted: int, mask_sets: int, seeds: int) -> dict[str, Any]:
    """Return the paper's study with local files, as many languages and mask sets, and random sets on a part."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    languages = ["".join(pair) for pair in product("abcde", "abcdefghij")][:wanted]
    config["languages"] = {code: {"name": code.upper()} for code in languages}
    for model in config["models"].values():
        for key in ("repository", "revision"):
            del model[key]
        model.update(source="local", path=str(folder), layers=LAYERS)
    for key in ("datasets", "published"):
        del config[key]
    sets = config["mask_sets"]
    del sets["lape_official"]
    sets["random"]["seeds"] = mask_sets - (len(sets) - 1)
    if seeds:
        sets["many"] = {**sets["random"], "label": "Many", "seeds": seeds}
        config["evaluation"]["sample"] = {"mask_sets": ["many"], "questions": {"nlu": 200}, "seed": 0}
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
    config["scores"]["parallel"] = ["nlu", "open"]
    config["open_questions"].update(files=files, suffix=dict.fromkeys(languages, ""))
    for path in files.values():
        Path(path).touch()
    return config


def main() -> None:
    """Plan the studies and print the number of jobs and the time."""
    for (languages, mask_sets, *_), seeds in SIZES.items():
        jobs, seconds = planned(languages, mask_sets, seeds)
        more = f" and {seeds} random ones on a part of the questions" if seeds else ""
        print(f"{languages} languages x {mask_sets} mask sets{more}: {jobs} jobs planned in {seconds:.1f} s")


def planned(languages: int, mask_sets: int, seeds: int) -> tuple[str, float]:
    """Return the number of jobs of a study and the seconds in which they are planned."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        config = study(Path(folder), languages, mask_sets, seeds)
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("snakemake")), "--dry-run", "--quiet", "rules",
                   "--workflow-profile", "profiles/local", "--configfile", str(path)]  # fmt: skip
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
        seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("total")), seconds


if __name__ == "__main__":
    main()
