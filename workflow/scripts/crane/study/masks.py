"""The mask sets of a study, with seeds and sweeps expanded, and the settings that determine their neurons.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from crane.methods import every
from crane.names import ORIGINAL, REFERENCES
from crane.relevance.accumulated_columns import BYTES, HISTOGRAMS, TOKEN_CAP
from crane.study.interventions import accumulators_of, canonical, changes_gates, needs_measured
from crane.study.ordering import key_sorted
from crane.study.schema.mask_sets import MaskSetSettings
from crane.study.sweeps import SELECTION_FREE, Sweeps

BY_STATISTICS = tuple(every())
"""Methods that choose neurons by what was measured on the texts."""
ALIKE = {"magnitude": "mean_abs", "energy": "energy"}
"""What random neurons may share with those of their match -> its column in the tables of statistics."""
OF_ALL_LANGUAGES = ("average_precision", "overlap")
"""Methods whose columns in the tables of statistics compare a language with all others of the table."""
RELEVANCE = ("rules", "objective", "aggregate", "site", "skip_first", "dtype", "router")
"""Settings of a relevance run that determine its result; `router` is given for models with experts only."""


class MaskSets:
    """Mask sets by name.

    Args:
        config: the checked configuration.
        path_of: the path of a file that the configuration gives as a path or as `{url, sha256}`.
        models: the configured mask sets as they were checked.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        path_of: Callable[[str | Mapping[str, str]], str],
        models: Mapping[str, MaskSetSettings],
    ) -> None:
        self._config = config
        self._models = models
        self._path_of = path_of

    @cached_property
    def shown(self) -> dict[str, dict[str, Any]]:
        """Settings of every mask set in the tables, with its `group`; `random` is expanded to one set per seed."""
        return self._expanded([name for name in self._config["mask_sets"] if name not in self._sampled])

    @cached_property
    def sampled(self) -> dict[str, dict[str, Any]]:
        """The same of the random sets that are measured on a part of the questions alone (`evaluation.sample`)."""
        return self._expanded(self._sampled)

    @property
    def _sampled(self) -> list[str]:
        return self._config.get("evaluation", {}).get("sample", {}).get("mask_sets", [])

    def _expanded(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        expanded = {}
        for name in names:
            settings = self._config["mask_sets"][name]
            if settings["method"] == "random":
                for seed in range(settings["seeds"]):
                    expanded[f"{name}-{seed}"] = {**settings, "seed": seed, "group": name}
            else:
                expanded[name] = {**settings, "group": name}
        return expanded

    @cached_property
    def sweeps(self) -> Sweeps:
        """The sweeps, with the mask sets that they add."""
        return Sweeps(self._config, self.shown)

    @cached_property
    def every(self) -> dict[str, dict[str, Any]]:
        """Settings of the mask sets in the tables, followed by those of the null on a part, and of sweeps."""
        return {**self.shown, **self.sampled, **self.sweeps.sets}

    @cached_property
    def selections(self) -> dict[str, dict[str, Any]]:
        """Settings of the shown sets that select some of the neurons; a set of all neurons selects nothing."""
        return {name: settings for name, settings in self.shown.items() if settings["method"] != "all"}

    def by_method(self, *methods: str) -> list[str]:
        """Return the names of the shown mask sets of some methods."""
        return [name for name, settings in self.shown.items() if settings["method"] in methods]

    @property
    def hypotheses(self) -> list[str]:
        """The shown sets that are no references, each a hypothesis about its neurons."""
        return [name for name, settings in self.shown.items() if settings["method"] not in REFERENCES]

    def chosen_by(self, *methods: str) -> list[str]:
        """Return the names of all sets, including those of sweeps, whose neurons are selected by some methods."""
        return [
            name
            for name, settings in self.every.items()
            if settings["method"] in methods and "neurons" not in settings
        ]

    def drawn(self) -> list[tuple[str, dict[str, int]]]:
        """Return the random sets of each job: its name, and mask set -> seed, all matched to the same set."""
        groups: dict[str, dict[str, int]] = {}
        for name in self.chosen_by("random"):
            group = name if name in self.sweeps.sets else self.every[name]["group"]
            groups.setdefault(group, {})[name] = self.every[name]["seed"]
        return list(groups.items())

    def drawn_alike(self, mask_sets: Iterable[str]) -> str | None:
        """Return the column of the statistics in which neurons of random sets of one job are like their match's."""
        settings = self.every[next(iter(mask_sets))]
        return next((ALIKE[name] for name in settings.get("match_on", ()) if name in ALIKE), None)

    def drawn_from(self, mask_sets: Iterable[str]) -> str:
        """Return the folder suffix of the relevance run whose statistics random sets of one job are drawn by.

        That of their match; but energies are measured in the study's own run alone.
        """
        settings = self.every[next(iter(mask_sets))]
        return "" if "energy" in settings.get("match_on", ()) else self.variant(settings["match"])

    def with_neurons(self) -> list[str]:
        """Return the names of the sets that the sweeps add and that have their own file of neurons."""
        return [name for name, settings in self.sweeps.sets.items() if "neurons" not in settings]

    def selection(self, mask_set: str) -> dict[str, Any]:
        """Return the settings that determine a mask set's neurons, without its label."""
        settings = self.every[mask_set]
        kept = {key: settings[key] for key in settings.keys() - set(SELECTION_FREE)}
        if "file" in kept:
            kept["file"] = self._path_of(kept["file"])
        return key_sorted(kept)

    @property
    def reference(self) -> str | None:
        """The mask set with which the LangSpec-F1 of the others is compared: the first CRANE set, or None."""
        return next(iter(self.by_method("crane")), None) if len(self.shown) > 1 else None

    def neurons_of(self, mask_set: str) -> str:
        """Return the mask set whose file holds a set's neurons: the set itself, except for interventions of a sweep."""
        return self.every[mask_set].get("neurons", mask_set)

    def matched_by(self, mask_set: str) -> str | None:
        """Return the mask set whose counts a set takes over, or None."""
        settings = self.every[mask_set]
        return settings.get("match") or settings.get("budget", {}).get("match")

    def intervention(self, mask_set: str) -> dict[str, Any]:
        """Return what replaces masking a set, as `crane.study.interventions.canonical`."""
        return {} if mask_set == ORIGINAL else canonical(self.every[mask_set].get("intervention", {}))

    def need_means(self, mask_sets: Iterable[str]) -> bool:
        """Whether the interventions of some mask sets need mean or median values of the neurons."""
        return any(needs_measured(self.intervention(name)) for name in mask_sets)

    def change_gates(self) -> bool:
        """Whether an intervention, or the steering, changes gates."""
        return any(map(changes_gates, self._interventions()))

    def _interventions(self) -> Iterator[dict[str, Any]]:
        """Yield what is done to neurons: under every mask set, and by the section `steering`."""
        yield from map(self.intervention, self.every)
        if "steering" in self._config:
            yield canonical({"steer": self._config["steering"]})

    def resampled(self, mask_sets: Iterable[str]) -> list[int]:
        """Return the seeds of the resample ablations among some mask sets, each once."""
        settings = map(self.intervention, mask_sets)
        return list(dict.fromkeys(each["resample"] for each in settings if "resample" in each))

    # Relevance runs from which sets are selected --------------------------------------------------------

    def relevance(self, variant: str) -> dict[str, Any]:
        """Return the settings of a relevance run, for `params`; the variant is "" or a hyphen and its name."""
        replaced = self._config["relevance_variants"][variant.removeprefix("-")] if variant else {}
        settings = {**self._config["relevance"], **replaced}
        if settings["rules"] != "attnlrp":  # a variant may replace the rules that have a router's
            settings.pop("router", None)
        found = {f"relevance.{key}": settings[key] for key in sorted(RELEVANCE) if key in settings}
        accumulators = self.accumulators(variant)
        if "token_histogram" in accumulators:
            found["relevance.token_cap"] = self._config["relevance"].get("token_cap", TOKEN_CAP)
        return {"relevance.accumulators": accumulators, **found} if accumulators else found

    def accumulators(self, variant: str) -> list[str]:
        """Return what the mask sets need of a relevance run besides its moments, in alphabetical order."""
        needed = [model.accumulators() for name, model in self._models.items() if self._run(name) == variant]
        if not variant:
            needed += map(accumulators_of, self._interventions())
        return sorted(frozenset().union(*needed))

    def adds(self, configured: str) -> str:
        """Return what a configured set needs besides moments and counts of the study's own relevance."""
        run = self._config["mask_sets"][configured].get("relevance")
        stored = [f"{name}: {BYTES[name]} B" for name in sorted(self._models[configured].accumulators())]
        return "; ".join([f"relevance {run}", *stored] if run else stored)

    def has_histograms(self, variant: str) -> bool:
        """Return whether a relevance run counts histograms, whose edges a pilot fixes before."""
        return not set(HISTOGRAMS).isdisjoint(self.accumulators(variant))

    def _run(self, configured: str) -> str:
        name = self._config["mask_sets"][configured].get("relevance")
        return f"-{name}" if name else ""

    def variant(self, mask_set: str) -> str:
        """Return the folder suffix of the relevance run from which a mask set is selected."""
        name = self.every[mask_set].get("relevance")
        return f"-{name}" if name else ""

    @property
    def variants(self) -> list[str]:
        """Folder suffixes of the relevance runs: "" for the study's own, a hyphen and the name for variants."""
        return ["", *(f"-{name}" for name in self._config.get("relevance_variants", {}))]

    @property
    def used_variants(self) -> list[str]:
        """Folder suffixes of the relevance variants from which some mask set is selected."""
        return sorted({self.variant(name) for name in self.every} - {""})

    # For tables and figures -----------------------------------------------------------------------------

    @property
    def contrast(self) -> str | None:
        """The mask set of the kurtosis figure: the first one selected by a threshold on the z-score, or None."""
        for name in self.by_method("crane"):
            settings = self.shown[name]
            if settings["normalise"] == "layer" and settings["rule"] in ("contrast", "target_only"):
                return name
        return None

    @property
    def halved(self) -> list[str]:
        """The sets that are selected again on parts of the texts: those from the study's own relevance."""
        chosen = self.by_method(*BY_STATISTICS)
        return [name for name in chosen if not self.variant(name)]

    @property
    def nulled(self) -> list[str]:
        """The sets whose rule is repeated on the dealt texts of one language.

        Left out is the ternary ranking cut to a budget: its weight differs from one selection to the next, and with it
        the scores, of which the null would count those that are high enough. So are methods whose statistics compare
        the real languages already, which dealt texts cannot take the place of.
        """
        cut = [name for name in self.by_method("ternary") if "budget" in self.shown[name]]
        left_out = {*cut, *self.by_method(*OF_ALL_LANGUAGES)}
        return [name for name in self.halved if name not in left_out]

    @property
    def calibrated(self) -> list[str]:
        """The sets whose order of all neurons is held against measured effects."""
        return self.by_method(*BY_STATISTICS)

    @property
    def calibrated_variants(self) -> list[str]:
        """Folder suffixes of the relevance variants from which some of them are selected."""
        return sorted({self.variant(name) for name in self.calibrated} - {""})

    def matched(self) -> dict[str, str]:
        """Return, for the sets of `nulled` that take over counts, the set whose counts they are."""
        found = {name: self.matched_by(name) for name in self.nulled}
        return {name: match for name, match in found.items() if match is not None}

    def methods_of(self, mask_sets: Iterable[str]) -> list[str]:
        """Return the methods of some sets, each once, in alphabetical order."""
        return sorted({self.every[name]["method"] for name in mask_sets})

    def methods(self) -> dict[str, str]:
        """Return the method of every configured set."""
        return {name: settings["method"] for name, settings in self._config["mask_sets"].items()}

    def groups(self, mask_sets: list[str]) -> dict[str, dict[str, Any]]:
        """Return group, method and intervention of some mask sets and of the unmasked model, for `params`."""
        described = {
            name: {
                **{key: self.every[name][key] for key in ("group", "method")},
                "intervention": self.intervention(name),
            }
            for name in mask_sets
        }
        return key_sorted(
            {**described, ORIGINAL: {"group": ORIGINAL, "method": ORIGINAL, "intervention": {}}}
        )

    def sweep_points(self, sweep: str) -> list[dict[str, Any]]:
        """Return a sweep's points for `params`, with the method and the neurons' file of each set."""
        return [
            key_sorted(
                {
                    **point,
                    "method": self.every[point["mask_set"]]["method"],
                    "neurons_of": self.neurons_of(point["mask_set"]),
                }
            )
            for point in self.sweeps.points[sweep]
        ]
