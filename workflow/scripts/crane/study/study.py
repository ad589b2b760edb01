"""A study: a checked configuration, expanded to the names, settings and files that the rules use.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from crane.names import OPEN_SUITE, PERPLEXITY, REFERENCES
from crane.study.check import check
from crane.study.inputs import Inputs
from crane.study.interventions import canonical, described
from crane.study.judges import Judges
from crane.study.masks import MaskSets
from crane.study.ordering import key_sorted
from crane.study.steering import Steering

SAMPLED = "sampled-"
"""Beginning of the name of a part of a suite's questions, or of the held-out texts (`evaluation.sample`)."""
CONTINUATION_CHANCE = 0.25
"""Of continuation questions, which have four choices."""
EXPLORER = {"samples": 3, "neurons": 50, "tokens": 64}
"""Defaults of the section `explorer`."""


class Study:
    """A checked configuration with its lists expanded.

    Attributes:
        config: what the user wrote. `params` of rules come from it, so that a new optional key reruns nothing.
        masks: the mask sets.
        inputs: the input files.
        judges: the judges of the open answers.
        steering: pairs of languages and the mask sets that steer between them.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        checked = check(config)
        self.config = config
        self.name: str = config["study"]
        self.languages: list[str] = list(config["languages"])
        self.identification_model: str = config["identification_model"]
        self.evaluated_models: list[str] = [self.identification_model, *config["transfer_models"]]
        self.layers: int = config["models"][self.identification_model]["layers"]
        self.results = f"results/{self.name}"
        self.inputs = Inputs(config, self.results)
        self.masks = MaskSets(config, self.inputs.file, checked.mask_sets)
        self.judges = Judges(config)
        self.steering = Steering(config, self.masks)

    def models_of(self, source: str) -> list[str]:
        """Return the names of the models of one source."""
        return [name for name, model in self.config["models"].items() if model["source"] == source]

    # What is evaluated ----------------------------------------------------------------------------------

    @property
    def suites(self) -> list[str]:
        """The suites of benchmarks."""
        return list(self.config.get("suites", {}))

    @property
    def asked(self) -> list[str]:
        """All suites of the study, including that of the open questions."""
        return [*self.suites, *([OPEN_SUITE] if "open_questions" in self.config else [])]

    @cached_property
    def benchmarks(self) -> dict[str, dict[str, Any]]:
        """Facts about every benchmark that scores need, including the open questions."""
        parallel = self.config["scores"].get("parallel", ())
        suite_of = {name: suite for suite, names in self.config.get("suites", {}).items() for name in names}
        known = {
            name: {
                "label": b["label"], "language": b["language"], "kind": "nlu", "suite": suite_of[name],
                "chance": b.get("chance", CONTINUATION_CHANCE), "highest": 1, "parallel": suite_of[name] in parallel,
            }
            for name, b in self.config.get("benchmarks", {}).items()
        }  # fmt: skip
        for language in self.languages if OPEN_SUITE in self.asked else []:
            known[f"{OPEN_SUITE}_{language}"] = {
                "label": f"Open ({language})", "language": language, "kind": "open", "suite": OPEN_SUITE,
                "chance": 1, "highest": 10, "parallel": OPEN_SUITE in parallel,
            }  # fmt: skip
        return known

    def scored_benchmarks(self, *suites: str) -> dict[str, dict[str, Any]]:
        """Return the facts about the benchmarks of some suites that scores need, without labels."""
        keys = ("chance", "highest", "kind", "language", "parallel", "suite")
        return {
            name: {key: settings[key] for key in keys}
            for name, settings in self.benchmarks.items()
            if settings["suite"] in suites
        }

    @property
    def perplexity_models(self) -> list[str]:
        """The models on which perplexity is measured; none without the section."""
        asked = self.config.get("perplexity")
        if not asked:
            return []
        return self.evaluated_models if asked["transfer"] else [self.identification_model]

    @property
    def calibration(self) -> dict[str, Any]:
        """The settings of the measured effects, for `params`; empty without the section."""
        return key_sorted(self.config.get("calibration", {}))

    @property
    def comparison(self) -> dict[str, Any]:
        """The settings of the comparison of methods, for `params`; empty without the section."""
        asked = self.config.get("comparison")
        return {"model": self.identification_model, **asked} if asked else {}

    def samples(self, model: str) -> list[dict[str, Any]]:
        """Return how the samples of texts that a model reads are drawn."""
        drawn = []
        if model == self.identification_model:
            drawn.append(self.inputs.relevance_sample())
        if model in self.perplexity_models:
            drawn.append(self.inputs.held_out_sample())
        if model in self.evaluated_models:
            drawn += [self.inputs.passage_sample(name) for name in self.inputs.continuations()]
        return drawn

    @property
    def has_selection_null(self) -> bool:
        """Whether some rule is repeated on the dealt texts of one language: enough shards, and such a rule."""
        return bool(self.inputs.dealt and self.masks.nulled)

    @cached_property
    def explorer(self) -> dict[str, Any]:
        """Settings of the explorer page, complete; `mask_sets` names sets with one seed."""
        asked = {**EXPLORER, **self.config.get("explorer", {})}
        if "mask_sets" not in asked:
            method = {name: settings["method"] for name, settings in self.config["mask_sets"].items()}
            asked["mask_sets"] = [name for name in method if method[name] not in REFERENCES] or [
                name for name in method if method[name] != "all"
            ]
        first_seed = {settings["group"]: name for name, settings in reversed(self.masks.selections.items())}
        return {**asked, "mask_sets": [first_seed[name] for name in asked["mask_sets"]]}

    @property
    def perplexity_sets(self) -> list[str]:
        """The mask sets under which perplexity is measured, seeds expanded."""
        asked = self.config.get("perplexity", {}).get("mask_sets", [])
        return [name for name, settings in self.masks.shown.items() if settings["group"] in asked]

    @property
    def sample(self) -> dict[str, Any]:
        """The part of the questions on which many random sets are measured; empty if the study has none."""
        return self.config["evaluation"].get("sample", {})

    @property
    def sampled_suites(self) -> list[str]:
        """The suites of which a part is asked under the sampled mask sets."""
        return [suite for suite in self.suites if suite in self.sample.get("questions", {})]

    @property
    def samples_perplexity(self) -> bool:
        """Whether perplexity is measured under the sampled mask sets."""
        return PERPLEXITY in self.sample.get("questions", {})

    def sampled_parts(self, model: str) -> list[str]:
        """Return the parts of suites, and of perplexity, that are evaluated under those sets on a model."""
        texts = [PERPLEXITY] if self.samples_perplexity and model in self.perplexity_models else []
        return [f"{SAMPLED}{name}" for name in [*self.sampled_suites, *texts]]

    def sample_size(self, suite: str) -> dict[str, int]:
        """Return how many questions of a suite's benchmarks, or held-out texts, are drawn, for `params`."""
        return {"count": self.sample.get("questions", {}).get(suite, 0), "seed": self.sample.get("seed", 0)}

    # Settings for params --------------------------------------------------------------------------------

    def labels(self) -> dict[str, Any]:
        """Return the names of models, languages, mask sets, benchmarks and the judge in tables and figures."""
        groups = dict.fromkeys(settings["group"] for settings in self.masks.shown.values())
        return {
            **self.mask_labels(),
            "mask_sets": {name: self._label(name) for name in groups},
            "benchmarks": {
                name: {key: b[key] for key in ("label", "language", "kind", "suite")}
                for name, b in self.benchmarks.items()
            },
            "models": {name: self.config["models"][name]["label"] for name in self.evaluated_models},
            "judge": "".join(self.judges.labels(self.judges.names[:1]).values()),
        }

    def sampled_labels(self) -> dict[str, str]:
        """Return the names of the random sets that are measured on a part of the questions alone."""
        return {name: self._label(name) for name in self.sample.get("mask_sets", ())}

    def _label(self, name: str) -> str:
        """Return a mask set's name where its effects are shown: with what is done to the neurons unless it is plain."""
        settings = self.config["mask_sets"][name]
        done = described(canonical(settings.get("intervention", {})), settings["method"])
        return f"{settings['label']}: {done}" if done else settings["label"]

    def mask_labels(self) -> dict[str, dict[str, str]]:
        """Return the names of languages and of the sets that select neurons, for what shows only masks."""
        selecting = {settings["group"] for settings in self.masks.selections.values()}
        labels = {name: settings["label"] for name, settings in self.config["mask_sets"].items()}
        return {
            "languages": {code: settings["name"] for code, settings in self.config["languages"].items()},
            "mask_sets": {name: label for name, label in labels.items() if name in selecting},
        }

    def pick(self, *path: str) -> Any:
        """Return the settings at a dotted path; several leaves as one key-sorted dict, for a rule's `params`.

        `pick("relevance.rules")` returns the value; `pick("relevance.rules", "relevance.objective")` returns
        `{"relevance.objective": ..., "relevance.rules": ...}`. Snakemake compares params without their names and would
        miss two swapped values; the dict keeps name and value together.
        """
        values = {}
        for dotted in sorted(path):
            value: Any = self.config
            for key in dotted.split("."):
                value = value[key]
            values[dotted] = key_sorted(value)
        return values[path[0]] if len(path) == 1 else values
