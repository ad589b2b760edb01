"""An explorer page of drawn numbers, with texts and names that would do harm if they were taken for HTML."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from crane.explorer.data import STATISTICS, Chosen
from crane.explorer.page import render
from crane.explorer.page_data import page_data as assembled
from crane.explorer.shown import distinct, shown_neurons
from crane.neurons.neuron_set import NeuronSet

LANGUAGES = {"en": "English", "ar": "Arabic", "zh": "Chinese <b>"}
SETTINGS = {
    "method": "crane", "statistic": "kurtosis", "normalise": "layer", "rule": "margin", "budget": {"fraction": 0.1}
}  # fmt: skip
HOSTILE = [
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "\"'`&amp;",
]
TEXTS = {
    "en": [*HOSTILE, " plain", " words"],
    "ar": ["مرحبا", " بالعالم", "،", " كيف", " حالك"],
    "zh": ["你", "", "好", "世界", "。"],
}


def statistics(layers: int, width: int, seed: int = 0) -> list[pd.DataFrame]:
    """Return a table per layer, as `crane.relevance.statistics.layer_table` does, of drawn numbers."""
    generator = np.random.default_rng(seed)
    tables = []
    for layer in range(layers):
        columns = {name: np.round(generator.gamma(2, 1, width * len(LANGUAGES)), 3) for name in STATISTICS}
        table = pd.DataFrame(columns | {"tokens": 100, "active": 50, "layer": layer})
        table["language"] = np.repeat(list(LANGUAGES), width)
        table["neuron"] = np.tile(np.arange(width), len(LANGUAGES))
        tables.append(table.assign(outlier_share=table["outlier_share"] / 10, minimum=-table["minimum"]))
    return tables


def masks(layers: int, width: int, per_layer: int, seed: int) -> NeuronSet:
    """Return neurons of each language with scores, so many in each layer."""
    generator = np.random.default_rng(seed)
    neurons = {
        code: {k: np.sort(generator.choice(width, per_layer, replace=False)) for k in range(layers)}
        for code in LANGUAGES
    }
    scores = {code: {k: generator.normal(size=per_layer) for k in range(layers)} for code in LANGUAGES}
    return NeuronSet(neurons, layers=layers, scores=scores)


def examples(pairs: list[tuple[int, int]], seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two examples of each neuron and language, and their texts."""
    generator = np.random.default_rng(seed)
    rows = [
        {"language": code, "layer": layer, "neuron": neuron, "place": place, "sample_id": place, "relevance": 0.5,
         "token_relevance": generator.normal(size=len(TEXTS[code])).astype(np.float32),
         "token_values": generator.normal(size=len(TEXTS[code])).astype(np.float32)}
        for layer, neuron in pairs for code in LANGUAGES for place in (1, 2)
    ]  # fmt: skip
    texts = [
        {"language": code, "sample_id": sample, "texts": texts}
        for code, texts in TEXTS.items()
        for sample in (1, 2)
    ]
    return pd.DataFrame(rows), pd.DataFrame(texts)


def page_data(*, layers: int = 3, width: int = 40, per_layer: int = 8, most: int = 12) -> dict[str, Any]:
    """Return the data of a page with two mask sets, and a measured effect of its first neuron."""
    sets = [
        Chosen("crane", "CRANE", masks(layers, width, per_layer, 0), SETTINGS, True),
        Chosen("other", "<i>Other</i> & co", masks(layers, width, per_layer, 1), {"method": "import"}, False),
    ]
    pairs = distinct(shown_neurons({one.name: one.neurons for one in sets}, most))
    found, texts = examples(pairs[:200])
    layer, neuron = pairs[0]
    effect = {"layer": layer, "neuron": neuron, "language": "en", "change": 0.125, "change_odd": -0.25}
    return assembled(
        {"study": "drawn", "model": "Model"},
        LANGUAGES,
        sets,
        statistics(layers, width),
        halves={
            half: pd.concat(statistics(layers, width, seed)) for seed, half in enumerate(("even", "odd"))
        },
        examples=found,
        texts=texts,
        effects=pd.DataFrame([effect]),
        site="intermediate",
        most=most,
        tokens=64,
    )


def write_page(path: Path, data: dict[str, Any]) -> Path:
    """Write the page and return its path."""
    path.write_text(render("Neurons of <drawn>", data), encoding="utf-8")
    return path
