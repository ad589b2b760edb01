"""Write a mask set with its summary, in the same form for every method."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crane.artefacts import write_json
from crane.neurons.neuron_set import NeuronSet
from crane.selection.ranking import SelectionError


def write_mask_set(
    neurons: NeuronSet, path: str | Path, summary_path: str | Path, metadata: Mapping[str, Any], **more: Any
) -> None:
    """Print and write the counts per language and layer, then the neurons.

    Args:
        neurons: the mask set.
        path: Parquet file of the neurons.
        summary_path: JSON file of the counts.
        metadata: provenance.
        more: further facts for the summary, by language.
    """
    counts = neurons.counts()
    empty = [language for language in neurons if not neurons.total(language)]
    if empty or not len(neurons):
        raise SelectionError(f"no neuron for {', '.join(empty) or 'any language'}: a mask cannot be empty")
    print(counts.assign(total=counts.sum(axis=1)).to_string())
    for name, facts in more.items():
        print(f"{name}: {facts}")
    summary = {
        language: {
            "total": neurons.total(language),
            "layers": counts.loc[language].tolist(),
            **{name: facts[language] for name, facts in more.items()},
        }
        for language in neurons
    }
    write_json(summary, summary_path)
    neurons.write_parquet(path, metadata)
