"""From the settings of an intervention to changes of neurons: which neurons, and by how much.

Settings are those of a mask set (`crane.study.schema.interventions`): one operation on the neurons of the mask's
language, or `steer`, which first deactivates the neurons of some languages and then activates those of another. A
neuron that is in both gets both, in this order (Gurgurov et al., arXiv 2507.22608; code d-gurgurov/
Language-Neurons-Manipulation, d5c7519).
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crane.artefacts import ArtefactError, read_table
from crane.neurons.changes import Change, EditSite, Step, composed
from crane.neurons.mean_values import intervention
from crane.neurons.neuron_set import Indices, NeuronSet

Measured = Mapping[str, np.ndarray]
"""Language -> float64 `[K, I]`: mean or median of each neuron in that language's texts; NaN where it has none."""
COLUMNS: dict[EditSite, str] = {"value": "mean_value", "gate": "mean_gate"}
"""Site -> column of means in the tables of statistics."""


def measured_values(tables: Sequence[str | Path], settings: Mapping[str, Any]) -> Measured:
    """Return what the neurons are set to, or what is added, in each language; empty without tables.

    Args:
        tables: statistics tables of all layers.
        settings: of an operation, or of `steer`, whose `activate` may have a source: mean (or diffmean) at its site, or
            the median over samples of the mean value (Kojima et al. 2024, arXiv 2404.02431).

    Raises:
        ArtefactError: the tables lack the column, which the accumulators `values` (of gates) or `sample_histogram` (of
            medians) make.
    """
    if not tables:
        return {}
    median = settings.get("activate", settings).get("source") == "median"
    column = "median_value" if median else COLUMNS[settings.get("site", "value")]
    table = pd.concat([read_table(path, ["language", "layer", "neuron", column]) for path in tables])
    return {
        str(language): rows.pivot(index="layer", columns="neuron", values=column).to_numpy(np.float64)
        for language, rows in table.groupby("language")
    }


def engine_arguments(
    settings: Mapping[str, Any],
    neurons: NeuronSet | None,
    tables: Sequence[str | Path],
    donors: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Return a mask set's intervention as arguments of `Engine.masked`, or as `changes`, one per mask language.

    Args:
        settings: of the intervention; empty for a mask.
        neurons: of the mask set.
        tables: statistics tables of all layers of the identification model, for a source.
        donors: files of values in other documents, for `resample`.
    """
    if neurons is None or not settings.keys() & {"op", "steer"}:
        return intervention(settings, tables, donors)
    asked = settings.get("steer", settings)
    site, measured = asked.get("site", "value"), measured_values(tables, asked)
    if "op" in settings:
        return {
            "changes": {lang: composed(site, [step(settings, neurons, lang, measured)]) for lang in neurons}
        }
    return {"changes": {lang: steered(settings["steer"], neurons, lang, measured) for lang in neurons}}


def steered(settings: Mapping[str, Any], neurons: NeuronSet, language: str, measured: Measured) -> Change:
    """Return the change of `steer` under the mask of a language."""
    named = {"own": [language], "others": [other for other in neurons if other != language]}
    off, on = settings["deactivate"], settings["activate"]
    deactivated = [lang for entry in off["languages"] for lang in named.get(entry, [entry])]
    activated = language if on["language"] == "own" else on["language"]
    return steering(settings, neurons, deactivated, activated, measured)


def steering(
    settings: Mapping[str, Any],
    neurons: NeuronSet,
    deactivated: Sequence[str],
    activated: str,
    measured: Measured,
) -> Change:
    """Return the change that deactivates the neurons of some languages and then activates those of one.

    Args:
        settings: `deactivate` and `activate`, each with its `op`, and the `site` of both.
        neurons: the mask set.
        deactivated: languages; a neuron of several of them is deactivated once.
        activated: language.
        measured: `measured_values` of the settings, if `activate` has a source.

    Raises:
        KeyError: the set has no mask for a language.
    """
    off = Step(union([neurons[lang] for lang in deactivated]), *_linear(settings["deactivate"]))
    return composed(
        settings.get("site", "value"), [off, step(settings["activate"], neurons, activated, measured)]
    )


def union(masks: Sequence[Mapping[int, Indices]]) -> dict[int, Indices]:
    """Return the neurons that are in any of some masks, by layer."""
    layers = sorted({layer for mask in masks for layer in mask})
    return {layer: reduce(np.union1d, [mask[layer] for mask in masks if layer in mask]) for layer in layers}


def step(settings: Mapping[str, Any], neurons: NeuronSet, language: str, measured: Measured) -> Step:
    """Return one operation on the neurons of a language.

    Args:
        settings: `op` (`zero`, `scale`, `set` or `add`), and `factor`, `number`, `source` and `of` as it needs them.
        neurons: the mask set.
        language: whose neurons are changed.
        measured: `measured_values` of the settings, if there is a source.
    """
    if "source" not in settings:
        return Step(neurons[language], *_linear(settings))
    found = amounts(settings, language, measured) * float(settings.get("factor", 1))
    return Step(neurons[language], float(settings["op"] == "add"), found)


def _linear(settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return factor and shift of an operation with a number."""
    factor = float(settings.get("factor", 1))
    if settings["op"] == "zero":
        return 0.0, 0.0
    if settings["op"] == "scale":
        return factor, 0.0
    return float(settings["op"] == "add"), float(settings["number"]) * factor


def amounts(settings: Mapping[str, Any], language: str, measured: Measured) -> np.ndarray:
    """Return float64 `[K, I]`: what the neurons of a language are set to, or what is added to them.

    `of` names whose mean or median: `own` (the language whose neurons are changed; default), `others` or `pooled`, in
    which all languages weigh the same, or a language. With `source: diffmean` the mean of the other languages' means is
    subtracted. A neuron of an expert that no token of a language reaches has no mean there; without any it has 0.

    Raises:
        ArtefactError: nothing was measured of a language.
    """
    of = settings.get("of", "own")
    one = language if of == "own" else of
    known = list(measured)
    if (missing := {language, one} - {*known, "others", "pooled"}) or not known:
        raise ArtefactError(
            f"no mean or median values of {', '.join(sorted(missing))}; there are: {', '.join(known) or 'none'}"
        )
    if of in ("others", "pooled"):
        chosen = [measured[lang] for lang in known if of == "pooled" or lang != language]
        return _mean(chosen)
    found = np.nan_to_num(measured[one], nan=0.0)
    if settings["source"] == "diffmean":
        found = found - _mean([measured[lang] for lang in known if lang != one])
    return found


def _mean(grids: Sequence[np.ndarray]) -> np.ndarray:
    stacked = np.stack(grids)
    counted = np.isfinite(stacked)
    return np.where(counted, stacked, 0).sum(0) / np.maximum(counted.sum(0), 1)
