"""A study: a checked configuration, expanded to the names, settings and files that the rules use.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from crane.config import check
from crane.judges import JUDGES
from crane.names import OPEN_SUITE

TASKS = Path(__file__).parents[2] / "tasks"


def _sorted(value: Any) -> Any:
    """Sort the keys of mappings at any depth: the order in which a file is written changes no result."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value


class Study:
    """A checked configuration with its lists expanded."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        check(config)
        self.config = config
        self.name: str = config["study"]
        self.languages: list[str] = list(config["languages"])
        self.identification_model: str = config["identification_model"]
        self.evaluated_models: list[str] = [self.identification_model, *config["transfer_models"]]
        self.layers: int = config["models"][self.identification_model]["layers"]
        self.results = f"results/{self.name}"

    def models_of(self, source: str) -> list[str]:
        """Return the names of the models of one source."""
        return [name for name, model in self.config["models"].items() if model["source"] == source]

    # Mask sets ------------------------------------------------------------------------------------------

    @cached_property
    def mask_sets(self) -> dict[str, dict[str, Any]]:
        """Settings of every mask set; `random` expanded to one set per seed; each knows its `group`."""
        expanded = {}
        for name, settings in self.config["mask_sets"].items():
            if settings["method"] == "random":
                for seed in range(settings["seeds"]):
                    expanded[f"{name}-{seed}"] = {**settings, "seed": seed, "group": name}
            else:
                expanded[name] = {**settings, "group": name}
        return expanded

    def by_method(self, *methods: str) -> list[str]:
        """Return the names of the mask sets of some methods."""
        return [name for name, settings in self.mask_sets.items() if settings["method"] in methods]

    def selection(self, mask_set: str) -> dict[str, Any]:
        """Return the settings that decide a mask set's neurons: its label decides nothing."""
        settings = self.mask_sets[mask_set]
        return _sorted({key: settings[key] for key in settings.keys() - {"label", "group", "seeds"}})

    @property
    def contrast(self) -> str | None:
        """The mask set of the kurtosis figure: the first that a threshold on the layer's z chose, if any."""
        for name in self.by_method("crane"):
            settings = self.mask_sets[name]
            if settings["normalise"] == "layer" and settings["rule"] in ("contrast", "target_only"):
                return name
        return None

    # Texts and questions --------------------------------------------------------------------------------

    def generated(self, language: str, name: str) -> str:
        """Return the path of one of the demo's generated files."""
        return f"{self.results}/generated/{language}/{name}.jsonl"

    def documents(self, language: str) -> str:
        """Return the file, or glob, of a language's corpus."""
        corpora = self.config["corpora"]
        return (
            self.generated(language, "documents")
            if corpora["source"] == "generated"
            else corpora["files"][language]
        )

    def questions(self, language: str) -> str:
        """Return the file of a language's open questions."""
        asked = self.config["open_questions"]
        return (
            self.generated(language, "questions")
            if asked["source"] == "generated"
            else asked["files"][language]
        )

    def suite_settings(self, suite: str) -> dict[str, dict[str, Any]]:
        """Return what decides a suite's answers, per benchmark: labels and chance levels do not."""
        keys = ("cluster_by", "data", "fewshot", "stratify_by", "task")
        settings = {}
        for name in sorted(self.config["suites"][suite]):
            benchmark = self.config["benchmarks"][name]
            settings[name] = {key: benchmark[key] for key in keys if key in benchmark}
            if benchmark.get("data") == "generated":
                settings[name]["data"] = self.generated(benchmark["language"], "benchmark")
        return settings

    def task_files(self, suite: str) -> list[str]:
        """Return this project's own task files that a suite uses, relative to `workflow`."""
        tasks = {self.config["benchmarks"][name]["task"] for name in self.config["suites"][suite]}
        return [f"tasks/{task}.yaml" for task in sorted(tasks) if (TASKS / f"{task}.yaml").exists()]

    # Results --------------------------------------------------------------------------------------------

    @cached_property
    def benchmarks(self) -> dict[str, dict[str, Any]]:
        """What scores need to know of every benchmark, the open-ended ones included."""
        suite_of = {name: suite for suite, names in self.config["suites"].items() for name in names}
        known = {
            name: {
                "label": b["label"], "language": b["language"], "kind": "nlu", "suite": suite_of[name],
                "chance": b["chance"], "highest": 1,
            }
            for name, b in self.config["benchmarks"].items()
        }  # fmt: skip
        for language in self.languages:
            known[f"{OPEN_SUITE}_{language}"] = {
                "label": f"Open ({language})", "language": language, "kind": "open", "suite": OPEN_SUITE,
                "chance": 1, "highest": 10,
            }  # fmt: skip
        return known

    @cached_property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Settings of the paper's Tables 1-4; of further suites, under their names behind an underscore."""
        transfer = self.config["transfer_models"]
        shown: dict[str, tuple[str, list[str]]] = {}
        for number, suite in enumerate(self.config["suites"]):
            ending = f"_{suite}" if number else ""
            shown[f"table1{ending}"] = (suite, [self.identification_model])
            if transfer:
                shown[f"table3{ending}"] = (suite, self.evaluated_models)
        shown["table2"] = (OPEN_SUITE, [self.identification_model])
        if transfer:
            shown["table4"] = (OPEN_SUITE, transfer)
        about = {"identified_on": self.identification_model, "resamples": self.config["scores"]["resamples"]}
        return {name: {"suite": suite, "models": models, **about} for name, (suite, models) in shown.items()}

    def labels(self) -> dict[str, Any]:
        """Return what tables and figures call things."""
        return {
            "languages": {code: settings["name"] for code, settings in self.config["languages"].items()},
            "benchmarks": {
                name: {key: b[key] for key in ("label", "language", "kind", "suite")}
                for name, b in self.benchmarks.items()
            },
            "mask_sets": {name: settings["label"] for name, settings in self.config["mask_sets"].items()},
            "models": {name: self.config["models"][name]["label"] for name in self.evaluated_models},
            "judge": JUDGES[self.config["judge"]["kind"]],
        }

    def pick(self, *path: str) -> Any:
        """Return the settings at a dotted path; several leaves as one key-sorted dict, for a rule's `params`.

        `pick("relevance.rules")` returns the value; `pick("relevance.rules", "relevance.objective")` returns
        `{"relevance.objective": ..., "relevance.rules": ...}`. Snakemake compares params without their names, so
        that two swapped values would go unnoticed; the dict keeps name and value together.
        """
        values = {}
        for dotted in sorted(path):
            value: Any = self.config
            for key in dotted.split("."):
                value = value[key]
            values[dotted] = _sorted(value)
        return values[path[0]] if len(path) == 1 else values
