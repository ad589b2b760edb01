"""Changes of a study's configuration whose consequences tests plan."""

from typing import Any


def new_language(config: dict[str, Any]) -> None:
    config["languages"]["fr"] = {"name": "fr"}
    config["corpora"]["files"]["fr"] = "inputs/fr.txt"
    config["benchmarks"]["quiz_fr"] = {**config["benchmarks"]["quiz_en"], "language": "fr"}
    config["suites"]["quiz"].append("quiz_fr")
    config["open_questions"]["suffix"]["fr"] = ""
    config["open_questions"]["files"]["fr"] = "inputs/questions_fr.jsonl"


def new_benchmarks(config: dict[str, Any]) -> None:
    for code in ("en", "vi"):
        config["benchmarks"][f"exam_{code}"] = {**config["benchmarks"][f"quiz_{code}"], "fewshot": 5}
    config["suites"]["exam"] = ["exam_en", "exam_vi"]


def new_mask_set(config: dict[str, Any]) -> None:
    """Between others: from there on each job has other sets."""
    sets = config["mask_sets"]
    new = {**sets["crane"], "budget": {"fraction": 0.2}}
    config["mask_sets"] = {"crane": sets["crane"], "new": new, **sets}


def swapped_settings(config: dict[str, Any]) -> None:
    """Two values change places: Snakemake compares params without their names."""
    config["scores"].update(resamples=config["scores"]["seed"] + 100, seed=config["scores"]["resamples"])


def reordered(config: dict[str, Any]) -> None:
    """The order in which a file is written says nothing, but for what is shown in that order."""
    for path in (
        ["relevance"],
        ["evaluation"],
        ["open_questions", "suffix"],
        ["mask_sets", "crane"],
        ["scores"],
        ["judges", "reference"],
        ["judges", "gpt"],
    ):
        section = config
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = dict(reversed(section[path[-1]].items()))
    config["suites"]["quiz"].reverse()
