"""Masks from a user's file, checked against the model that they are for."""

from collections.abc import Sequence
from pathlib import Path

from crane.artefacts import ArtefactError
from crane.neurons.neuron_set import NeuronSet


def import_masks(
    path: str | Path,
    named: Sequence[str] | None,
    languages: Sequence[str],
    layers: int,
    intermediate_size: int,
) -> NeuronSet:
    """Read the masks of some languages from a file.

    Args:
        path: a `.pth` as published with LAPE, or a `.parquet` of this workflow.
        named: the languages of the lists in a `.pth`, in their order.
        languages: those that are needed.
        layers: of the model.
        intermediate_size: neurons per layer of the model.

    Raises:
        ArtefactError: as of `NeuronSet.read_lape`, `NeuronSet.read_parquet` and `NeuronSet.restricted`; the message
            names the file.
    """
    path = Path(path)
    neurons = (
        NeuronSet.read_lape(path, named or ()) if path.suffix == ".pth" else NeuronSet.read_parquet(path)
    )
    try:
        return neurons.restricted(languages, layers, intermediate_size)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error
