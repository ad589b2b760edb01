"""A study: a checked configuration, expanded to the names, settings and files that the rules use.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from crane.names import HALVES, OPEN_SUITE, ORIGINAL
from crane.study.check import check
from crane.study.file_names import file_name
from crane.study.judges import describe, reading, request, speed
from crane.study.sweeps import SELECTION_FREE, Sweeps

TASKS = Path(__file__).parents[3] / "tasks"


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

    @cached_property
    def sweeps(self) -> Sweeps:
        """The sweeps, with the mask sets that they add."""
        return Sweeps(self.config, self.mask_sets)

    @cached_property
    def every_set(self) -> dict[str, dict[str, Any]]:
        """Settings of the mask sets of the tables and, behind them, of those that only sweeps use."""
        return {**self.mask_sets, **self.sweeps.sets}

    def by_method(self, *methods: str) -> list[str]:
        """Return the names of the mask sets of some methods."""
        return [name for name, settings in self.mask_sets.items() if settings["method"] in methods]

    def chosen_by(self, *methods: str) -> list[str]:
        """Return the names of all sets, those of the sweeps included, whose neurons some methods choose."""
        return [
            name
            for name, settings in self.every_set.items()
            if settings["method"] in methods and "neurons" not in settings
        ]

    def selection(self, mask_set: str) -> dict[str, Any]:
        """Return the settings that decide a mask set's neurons: its label decides nothing."""
        settings = self.every_set[mask_set]
        kept = {key: settings[key] for key in settings.keys() - set(SELECTION_FREE)}
        if "file" in kept:
            kept["file"] = self.file(kept["file"])
        return _sorted(kept)

    @property
    def reference(self) -> str | None:
        """The mask set with which the others' LangSpec-F1 is compared: the first CRANE set, if there are others."""
        return next(iter(self.by_method("crane")), None) if len(self.mask_sets) > 1 else None

    def neurons_of(self, mask_set: str) -> str:
        """Return the mask set whose file holds a set's neurons: itself, but for an intervention of a sweep."""
        return self.every_set[mask_set].get("neurons", mask_set)

    def intervention(self, mask_set: str) -> dict[str, Any]:
        """Return what is done to a set's neurons: `{"scale": a}`, `{"mean": True}`; nothing for a mask."""
        if mask_set == ORIGINAL:
            return {}
        how = self.every_set[mask_set].get("intervention", {})
        return {key: value for key, value in how.items() if value}

    def relevance(self, variant: str) -> dict[str, Any]:
        """Return the settings of a relevance run, for `params`; the variant is "" or the name behind a hyphen."""
        own = self.config["relevance_variants"][variant.removeprefix("-")] if variant else {}
        settings = {**self.config["relevance"], **own}
        keys = ["rules", "objective", "aggregate", "site", "skip_first", "dtype"]
        return {f"relevance.{key}": settings[key] for key in sorted(keys)}

    def variant(self, mask_set: str) -> str:
        """Return the ending of the relevance run that a mask set is chosen from."""
        name = self.every_set[mask_set].get("relevance")
        return f"-{name}" if name else ""

    @property
    def relevance_variants(self) -> list[str]:
        """Endings of the folders of the relevance runs: none for the study's own, then a hyphen and the name."""
        return ["", *(f"-{name}" for name in self.config.get("relevance_variants", {}))]

    @property
    def used_variants(self) -> list[str]:
        """Endings of the variants of relevance that some mask set is chosen from."""
        return sorted({self.variant(name) for name in self.every_set} - {""})

    @property
    def contrast(self) -> str | None:
        """The mask set of the kurtosis figure: the first that a threshold on the layer's z chose, if any."""
        for name in self.by_method("crane"):
            settings = self.mask_sets[name]
            if settings["normalise"] == "layer" and settings["rule"] in ("contrast", "target_only"):
                return name
        return None

    # Files from the network -----------------------------------------------------------------------------

    @cached_property
    def downloads(self) -> dict[str, dict[str, str]]:
        """Files that the study gives as `{url, sha256}`, by the name under which they are kept."""
        given = [
            *(self.config["open_questions"].get("files", {}).values()),
            *(settings["file"] for settings in self.config["mask_sets"].values() if "file" in settings),
        ]
        return {Path(self.file(file)).name: _sorted(file) for file in given if not isinstance(file, str)}

    def file(self, file: str | Mapping[str, str]) -> str:
        """Return the path of a file that the study gives as a path or as `{url, sha256}`."""
        if isinstance(file, str):
            return file
        return f"{self.results}/downloads/{file['sha256'][:8]}-{file_name(file)}"

    def corpus_files(self, language: str) -> dict[str, str]:
        """Return the `repository`, `revision` and glob `files` of a language's corpus (source: hub)."""
        corpora = self.config["corpora"]
        files = corpora["files"][language]
        if isinstance(files, str):
            files = {"repository": corpora["repository"], "revision": corpora["revision"], "files": files}
        return _sorted(files)

    # Texts and questions --------------------------------------------------------------------------------

    def generated(self, language: str, name: str) -> str:
        """Return the path of one of the demo's generated files."""
        return f"{self.results}/generated/{language}/{name}.jsonl"

    def documents(self, language: str) -> str:
        """Return the file, or glob, of a language's corpus."""
        corpora = self.config["corpora"]
        if corpora["source"] == "generated":
            return self.generated(language, "documents")
        if corpora["source"] == "hub":
            return f"{self.results}/datasets/corpus/{language}.parquet"
        return corpora["files"][language]

    @property
    def halves(self) -> dict[str, list[int]]:
        """The shards of each half of the texts; none where there is one shard only."""
        shards = list(range(self.config["corpora"]["shards"]))
        return {half: shards[start::2] for start, half in enumerate(HALVES)} if len(shards) > 1 else {}

    def questions(self, language: str) -> str:
        """Return the file of a language's open questions."""
        asked = self.config["open_questions"]
        return (
            self.generated(language, "questions")
            if asked["source"] == "generated"
            else self.file(asked["files"][language])
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
            if "dataset" in benchmark:
                settings[name]["dataset"] = f"{self.results}/datasets/{benchmark['dataset']}"
        return settings

    def suite_data(self, suite: str) -> list[str]:
        """Return the files and folders that a suite's questions are read from, each once."""
        settings = self.suite_settings(suite).values()
        return sorted({s[key] for s in settings for key in ("data", "dataset") if key in s})

    def task_files(self, suite: str) -> list[str]:
        """Return this project's own task files that a suite uses, relative to `workflow`."""
        tasks = {self.config["benchmarks"][name]["task"] for name in self.config["suites"][suite]}
        return [f"tasks/{task}.yaml" for task in sorted(tasks) if (TASKS / f"{task}.yaml").exists()]

    # Judges ---------------------------------------------------------------------------------------------

    @property
    def judge(self) -> str:
        """The judge whose scores the tables and figures show: the first."""
        return next(iter(self.config["judges"]))

    def judge_request(self, judge: str) -> dict[str, Any]:
        """Return the settings that decide what a judge replies."""
        return _sorted(request(self.config["judges"][judge]))

    def judge_languages(self, judge: str) -> dict[str, str]:
        """Return what a judge is told about the languages: their names."""
        languages = self.config["languages"] if judge in self.paid_judges else {}
        return {code: settings["name"] for code, settings in _sorted(languages).items()}

    def judge_reading(self, judge: str) -> dict[str, Any]:
        """Return the settings that decide how a reply is read."""
        return _sorted(reading(self.config["judges"][judge]))

    def judge_speed(self, judge: str) -> dict[str, Any]:
        """Return the settings that change no reply: speed, and where the key is found."""
        return speed(self.config["judges"][judge])

    def judge_files(self, judge: str) -> list[str]:
        """Return the prompt that a judge is asked with, relative to `workflow`."""
        prompt = self.config["judges"][judge].get("prompt")
        return [f"prompts/{prompt}.yaml"] if prompt else []

    def judge_labels(self) -> dict[str, str]:
        """Return what tables call every judge."""
        return {name: describe(settings) for name, settings in self.config["judges"].items()}

    @property
    def paid_judges(self) -> list[str]:
        """The judges that are asked over the network."""
        return [name for name, settings in self.config["judges"].items() if settings["kind"] != "reference"]

    def judge_prices(self) -> dict[str, dict[str, float]]:
        """Return the prices of the judges for which they are given."""
        judges = self.config["judges"]
        return {name: _sorted(judges[name]["price"]) for name in self.paid_judges if "price" in judges[name]}

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

    def scored_benchmarks(self, suite: str) -> dict[str, dict[str, Any]]:
        """Return what the scores of one suite need to know of its benchmarks: no labels."""
        keys = ("chance", "highest", "kind", "language", "suite")
        return {
            name: {key: settings[key] for key in keys}
            for name, settings in self.benchmarks.items()
            if settings["suite"] == suite
        }

    @property
    def perplexity_models(self) -> list[str]:
        """The models on which perplexity is measured; none without the section."""
        asked = self.config.get("perplexity")
        if not asked:
            return []
        return self.evaluated_models if asked["transfer"] else [self.identification_model]

    @property
    def perplexity_sets(self) -> list[str]:
        """The mask sets under which perplexity is measured, seeds expanded."""
        asked = self.config.get("perplexity", {}).get("mask_sets", [])
        return [name for name, settings in self.mask_sets.items() if settings["group"] in asked]

    def groups(self, mask_sets: list[str]) -> dict[str, dict[str, Any]]:
        """Return group, method and intervention of some mask sets and of the unmasked model, for `params`."""
        found = {
            name: {
                **{key: self.mask_sets[name][key] for key in ("group", "method")},
                "intervention": self.intervention(name),
            }
            for name in mask_sets
        }
        return _sorted({**found, ORIGINAL: {"group": ORIGINAL, "method": ORIGINAL, "intervention": {}}})

    def sweep_points(self, sweep: str) -> list[dict[str, Any]]:
        """Return a sweep's points for `params`, with the method and the neurons' file of each set."""
        return [
            _sorted(
                {
                    **point,
                    "method": self.every_set[point["mask_set"]]["method"],
                    "neurons_of": self.neurons_of(point["mask_set"]),
                }
            )
            for point in self.sweeps.points[sweep]
        ]

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

    @property
    def published(self) -> list[tuple[str, str]]:
        """The models and suites that the paper has numbers for, as far as the study says what stands for what."""
        mapping = self.config.get("published")
        if not mapping:
            return []
        suites = dict.fromkeys(self.benchmarks[name]["suite"] for name in mapping["benchmarks"])
        return [(model, suite) for model in mapping["models"] for suite in suites]

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
            "judge": describe(self.config["judges"][self.judge]),
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
