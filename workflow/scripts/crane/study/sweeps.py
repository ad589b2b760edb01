"""Sweeps: one setting of a mask set varied and all others kept, expanded to further mask sets.

Imported by the Snakefile on every node, so nothing heavy is imported here. A point of a sweep that equals a mask set of
the study, or a point of another sweep, is that set: nothing is computed twice. The name of any other point contains
everything that determines its neurons, so that a point keeps its results when other points are added or removed.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from crane.methods import every
from crane.study.interventions import canonical

RELEVANCE = ("crane", "dispersion")
"""Methods that rank all neurons by relevance."""
RANKED = tuple(name for name in every() if name not in ("lape", "lape_matched"))
"""Methods that rank all neurons, so that any budget can be applied."""
NAMED_BY_STATISTIC = (*RELEVANCE, "activation")
"""Methods whose sets are named by statistic, normalisation and rule."""
THRESHOLD = 1
"""Threshold of the rule `contrast` if the mask set has none (paper, Fig. 3)."""
Z_SCORES = ("layer", "global")
"""Normalisations for which that threshold is meaningful."""
SELECTION_FREE = ("label", "group", "seeds", "intervention", "neurons")
"""Settings of a mask set that do not affect its neurons."""

Point = dict[str, Any]
"""One mask set at one position of a sweep: mask_set, group (the configured set), varied, setting, value (None if it is
not a number) and configured (whether it is the configured set itself)."""


def text(number: float) -> str:
    """Return a number as it appears in names: 0.05, 1, 0.5."""
    return format(number, ".12g")


def _plain(value: Any) -> Any:
    """Make 1 and 1.0 the same."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _identity(settings: Mapping[str, Any]) -> str:
    """Return what distinguishes two mask sets: the selection of neurons and the intervention."""
    deciding = {key: value for key, value in settings.items() if key not in SELECTION_FREE}
    deciding["intervention"] = canonical(settings.get("intervention", {}))
    return json.dumps(_plain(deciding), sort_keys=True)


def _name(settings: Mapping[str, Any]) -> str:
    """Return a name with everything that determines a set; a configuration cannot give such a name."""
    how = settings.get("intervention", {})
    if how:
        if "scale" in how:
            return f"{settings['neurons']}-x{text(how['scale'])}"
        return f"{settings['neurons']}-{'mean' if 'mean' in how else 'resample' + text(how['resample'])}"
    if settings["method"] == "random":
        alike = [f"-by-{name}" for name in sorted(settings.get("match_on", ())) if name != "layer"]
        return f"random-{settings['seed']}-as-{settings['match']}{''.join(alike)}"
    if settings["method"] == "lape_matched":
        quantiles = f"filter{text(settings['filter_rate'])}-bar{text(settings['activation_bar_ratio'])}"
        return f"lape-{quantiles}-as-{settings['match']}"
    if settings["method"] == "ternary":
        parts = ["ternary", settings["kind"]]
        parts += [f"top{text(settings['top_rate'])}", f"bar{text(settings['activation_bar_ratio'])}"]
        parts += [f"weight{text(settings['weight'])}"] if "weight" in settings else []
    elif settings["method"] not in NAMED_BY_STATISTIC:
        parts = [settings["method"], *_every_setting(settings)]
    else:
        parts = [settings.get("statistic", "kurtosis"), settings["normalise"], settings["rule"]]
    if "threshold" in settings:
        parts.append(f"above{text(settings['threshold'])}")
    parts += [f"{key}{value if key == 'match' else text(value)}"
              for key, value in sorted(settings.get("budget", {}).items()) if key != "fill"]  # fmt: skip
    if settings.get("budget", {}).get("fill"):
        parts.append("filled")
    if "contrast" in settings:
        parts.append(settings["contrast"].replace("_", "-"))
    if "relevance" in settings:
        parts.append(settings["relevance"])
    return "-".join(parts)


def _every_setting(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings that other names do not spell out, each with its key."""
    spelled = (*SELECTION_FREE, "method", "threshold", "budget", "contrast", "relevance")
    for key in sorted(settings.keys() - set(spelled)):
        value = settings[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        yield f"{key.replace('_', '')}{text(value) if number else value}"


class Sweeps:
    """All sweeps of a study, expanded.

    Args:
        config: the checked configuration.
        mask_sets: the study's own sets, seeds expanded.
    """

    def __init__(self, config: Mapping[str, Any], mask_sets: Mapping[str, Mapping[str, Any]]) -> None:
        self._configured = config["mask_sets"]
        self._expanded = mask_sets
        self._names: dict[str, str] = {}
        for name, settings in mask_sets.items():
            self._names.setdefault(_identity(settings), name)
        self.sets: dict[str, dict[str, Any]] = {}
        """Settings of the sets that the sweeps add to the study's own."""
        expand = {
            "budget": self._budget, "threshold": self._threshold,
            "ablation": self._ablation, "intervention": self._intervention,
        }  # fmt: skip
        self.points: dict[str, list[Point]] = {
            sweep: list(expand[sweep](settings)) for sweep, settings in config.get("sweeps", {}).items()
        }

    def evaluated(self) -> list[str]:
        """Return the added sets that are evaluated; the others only provide their counts."""
        asked = {point["mask_set"] for points in self.points.values() for point in points}
        return [name for name in self.sets if name in asked]

    def sets_of(self, sweep: str) -> list[str]:
        """Return the mask sets of a sweep, each once."""
        return list(dict.fromkeys(point["mask_set"] for point in self.points[sweep]))

    def _add(self, settings: dict[str, Any]) -> str:
        identity = _identity(settings)
        if identity not in self._names:
            name = _name(settings)
            self._names[identity] = name
            self.sets[name] = settings
        return self._names[identity]

    def _at_budget(self, name: str, fraction: float, seed: int | None = None) -> dict[str, Any]:
        """Return a configured set's settings at a budget: the neurons of highest margin, or a set of the same size."""
        settings = {**self._configured[name], "group": name}
        settings.pop("intervention", None)  # only its counts are used; sweeps of interventions are refused
        if settings["method"] in RANKED and "rule" not in settings:
            return settings | {"budget": {"fraction": fraction}}
        if settings["method"] in RANKED:
            settings.pop("threshold", None)
            return settings | {"rule": "margin", "budget": {"fraction": fraction}}
        settings["match"] = self._add(self._at_budget(settings["match"], fraction))
        return settings | ({"seed": seed} if seed is not None else {})

    def _budget(self, sweep: Mapping[str, Any]) -> Iterator[Point]:
        for name in sweep["mask_sets"]:
            drawn = self._configured[name]["method"] == "random"
            for fraction in sweep["fractions"]:
                for seed in range(sweep["seeds"]) if drawn else [None]:
                    yield {
                        "mask_set": self._add(self._at_budget(name, fraction, seed)), "group": name,
                        "varied": "budget", "setting": f"{text(100 * fraction)}%", "value": fraction,
                        "configured": False,
                    }  # fmt: skip

    def _threshold(self, sweep: Mapping[str, Any]) -> Iterator[Point]:
        name = sweep["mask_set"]
        reference = self._configured[name]
        for threshold in sorted({reference["threshold"], *sweep["thresholds"]}):
            yield {
                "mask_set": self._add({**reference, "group": name, "threshold": threshold}), "group": name,
                "varied": "threshold", "setting": text(threshold), "value": float(threshold),
                "configured": threshold == reference["threshold"],
            }  # fmt: skip

    def _ablation(self, sweep: Mapping[str, Any]) -> Iterator[Point]:
        lists = {
            "statistic": "statistics",
            "normalise": "normalisations",
            "rule": "rules",
            "relevance": "relevance",
        }
        for name in sweep["mask_sets"]:
            reference = {"statistic": "kurtosis", **self._at_budget(name, sweep["fraction"])}
            variants = [("", "", reference)]
            for key, values in lists.items():
                for value in sweep.get(values, []):
                    if value == reference.get(key):
                        continue
                    if value != "contrast":
                        variants.append((key, value, reference | {key: value}))
                    elif reference["normalise"] in Z_SCORES:
                        variants.append((key, value, self._contrast(name, reference)))
            for key, value, settings in variants:
                if settings["statistic"] == "kurtosis":
                    settings = {k: v for k, v in settings.items() if k != "statistic"} | {"method": "crane"}
                else:
                    settings = settings | {"method": "dispersion"}
                yield {
                    "mask_set": self._add(settings), "group": name, "varied": key, "setting": value, "value": None,
                    "configured": not key,
                }  # fmt: skip

    def _contrast(self, name: str, reference: Mapping[str, Any]) -> dict[str, Any]:
        """Return a reference with the paper's rule, which determines the number of neurons itself, without a budget."""
        kept = {key: value for key, value in reference.items() if key != "budget"}
        return kept | {"rule": "contrast", "threshold": self._configured[name].get("threshold", THRESHOLD)}

    def _intervention(self, sweep: Mapping[str, Any]) -> Iterator[Point]:
        hows: list[dict[str, Any]] = [{"scale": scale} for scale in sorted(sweep["scales"])]
        if sweep["mean"]:
            hows.append({"mean": True})
        if "resample" in sweep:
            hows.append({"resample": sweep["resample"]})
        for name in sweep["mask_sets"]:
            for neurons, settings in self._expanded.items():
                if settings["group"] != name:
                    continue
                for how in hows:
                    yield {
                        "mask_set": self._add({**settings, "neurons": neurons, "intervention": how}), "group": name,
                        "varied": "intervention",
                        "setting": f"× {text(how['scale'])}" if "scale" in how else next(iter(how)),
                        "value": float(how["scale"]) if "scale" in how else None, "configured": False,
                    }  # fmt: skip
