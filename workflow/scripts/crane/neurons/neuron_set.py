"""Sets of neurons per language, and the files that carry them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from crane.artefacts import ArtefactError, atomic_file, is_lfs_pointer, read_metadata, read_table, write_table
from crane.models.architectures import SITES, Site
from crane.models.pickled import OtherObjectsError, PickleError, load_plain_tensors

Indices = np.ndarray
"""int64 `[n]`, strictly ascending."""


def jaccard(one: Mapping[int, Indices], other: Mapping[int, Indices]) -> float:
    """Return |A and B| / |A or B| of two sets of neurons (layer -> indices); two empty sets are the same one: 1."""
    shared = sum(len(np.intersect1d(one[k], other[k], assume_unique=True)) for k in one.keys() & other.keys())
    either = sum(map(len, one.values())) + sum(map(len, other.values())) - shared
    return shared / either if either else 1.0


@dataclass(frozen=True)
class NeuronSet(Mapping[str, Mapping[int, Indices]]):
    """language -> layer -> neuron indices, at one site of a model with `layers` decoder layers."""

    neurons: Mapping[str, Mapping[int, Indices]]
    layers: int
    site: Site = "intermediate"
    scores: Mapping[str, Mapping[int, np.ndarray]] = field(default_factory=dict)
    """The score by which the selection ranked, parallel to `neurons`; may be absent."""

    def __post_init__(self) -> None:
        if self.site not in SITES:
            raise ValueError(f"unknown site {self.site!r}; known: {', '.join(SITES)}")
        for language, by_layer in self.neurons.items():
            for layer, indices in by_layer.items():
                if not 0 <= layer < self.layers:
                    raise ValueError(f"{language}: layer {layer} is outside 0..{self.layers - 1}")
                if indices.ndim != 1 or (len(indices) and indices.min() < 0):
                    raise ValueError(f"{language}, layer {layer}: indices must be one row of numbers >= 0")
                if (np.diff(indices) <= 0).any():
                    raise ValueError(f"{language}, layer {layer}: indices must ascend without repetition")

    def __getitem__(self, language: str) -> Mapping[int, Indices]:
        if language not in self.neurons:
            raise KeyError(f"no mask for language {language!r}; there are: {', '.join(self.neurons)}")
        return self.neurons[language]

    def __iter__(self) -> Iterator[str]:
        return iter(self.neurons)

    def __len__(self) -> int:
        return len(self.neurons)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NeuronSet):
            return NotImplemented
        return (
            (self.layers, self.site) == (other.layers, other.site)
            and list(self) == list(other)
            and all(self._keys(language) == other._keys(language) for language in self)
        )

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def from_flags(
        cls,
        flags: np.ndarray,
        languages: Sequence[str],
        site: Site = "intermediate",
        scores: np.ndarray | None = None,
    ) -> Self:
        """Build a set from bool `[L, K, I]`; `scores` `[L, K, I]` are kept for the chosen neurons."""
        if flags.ndim != 3 or flags.shape[0] != len(languages):
            raise ValueError(f"flags have shape {flags.shape}, expected [{len(languages)} languages, K, I]")
        chosen = {
            language: {k: np.flatnonzero(flags[row, k]) for k in range(flags.shape[1])}
            for row, language in enumerate(languages)
        }
        kept = {}
        if scores is not None:
            kept = {
                language: {k: scores[row, k, index] for k, index in chosen[language].items()}
                for row, language in enumerate(languages)
            }
        return cls(chosen, layers=flags.shape[1], site=site, scores=kept)

    def restricted(self, languages: Sequence[str], layers: int, intermediate_size: int) -> Self:
        """Return the masks of some languages, checked against the shape of a model.

        Raises:
            ArtefactError: a language is missing, or the set was made for a model of a different shape.
        """
        missing = [language for language in languages if language not in self]
        if missing:
            raise ArtefactError(f"no masks for {', '.join(missing)}; there are: {', '.join(self)}")
        if self.layers != layers:
            raise ArtefactError(f"the masks are for {self.layers} layers, the model has {layers}")
        for language in languages:
            highest = max((int(index[-1]) for index in self[language].values() if len(index)), default=-1)
            if self.site == "intermediate" and highest >= intermediate_size:
                raise ArtefactError(
                    f"{language}: neuron {highest} does not exist, the model has {intermediate_size} per layer"
                )
        return type(self)(
            {language: self.neurons[language] for language in languages},
            layers=self.layers,
            site=self.site,
            scores={language: self.scores[language] for language in languages if language in self.scores},
        )

    def counts(self) -> pd.DataFrame:
        """Return the number of neurons: one row per language, one column per layer (0 .. K-1)."""
        return pd.DataFrame(
            [[len(self[language].get(k, ())) for k in range(self.layers)] for language in self],
            index=pd.Index(list(self), name="language"),
            columns=pd.RangeIndex(self.layers, name="layer"),
        )

    def total(self, language: str) -> int:
        """Return the number of neurons of one language."""
        return sum(len(indices) for indices in self[language].values())

    def _keys(self, language: str) -> set[tuple[int, int]]:
        return {(k, int(i)) for k, indices in self[language].items() for i in indices}

    def jaccard(self, other: Self) -> dict[str, float]:
        """Return `jaccard` for each language of both sets."""
        if self.site != other.site:
            raise ValueError(f"sets at different sites: {self.site!r} and {other.site!r}")
        return {language: jaccard(self[language], other[language]) for language in self if language in other}

    # Parquet ------------------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy table: language, layer, site, neuron, score (NaN where there is none)."""
        frames = []
        for language in self:
            for layer, indices in sorted(self[language].items()):
                scores = self.scores.get(language, {}).get(layer, np.full(len(indices), np.nan))
                frames.append(pd.DataFrame({"language": language, "layer": layer, "site": self.site,
                                            "neuron": indices, "score": scores}))  # fmt: skip
        columns = {"language": str, "layer": np.int64, "site": str, "neuron": np.int64, "score": np.float64}
        table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))
        return table.astype(columns)

    def write_parquet(self, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
        """Write the set; languages without neurons and the number of layers are kept in the metadata."""
        shape = {"languages": list(self), "layers": self.layers, "site": self.site}
        write_table(self.to_frame(), path, {**(metadata or {}), "neuron_set": shape})

    @classmethod
    def read_parquet(cls, path: str | Path) -> Self:
        """Read a file written by `write_parquet`.

        Raises:
            ArtefactError: the file is damaged or not a neuron set, or its neurons are no indices within its layers.
        """
        frame = read_table(path)
        shape = read_metadata(path).get("neuron_set")
        if shape is None:
            raise ArtefactError(f"{path}: not a neuron set (no 'neuron_set' in its metadata)")
        if not all(frame[column].dtype.kind in "iu" for column in ("layer", "neuron")):
            raise ArtefactError(f"{path}: layers and neurons must be integers")
        neurons: dict[str, dict[int, np.ndarray]] = {language: {} for language in shape["languages"]}
        scores: dict[str, dict[int, np.ndarray]] = {language: {} for language in shape["languages"]}
        for language in neurons:
            mask = frame[frame["language"] == language].sort_values("neuron")
            for layer in sorted(mask["layer"].unique().tolist()):
                rows = mask[mask["layer"] == layer]
                neurons[language][layer] = rows["neuron"].to_numpy(np.int64)
                scores[language][layer] = rows["score"].to_numpy(np.float64)
        try:
            return cls(neurons, layers=shape["layers"], site=shape["site"], scores=scores)
        except ValueError as error:
            raise ArtefactError(f"{path}: {error}") from error

    # LAPE's published format: List[language][layer] -> LongTensor ---------------------------------------

    @classmethod
    def read_lape(cls, path: str | Path, languages: Sequence[str]) -> Self:
        """Read a `.pth` as published with LAPE (Tang et al. 2024); `languages` names its lists in order.

        Raises:
            ArtefactError: the file is missing, damaged or a git-LFS pointer, has another format or a different number
                of languages, or a tensor holds anything but integer indices >= 0.
        """
        lists = _load_lists(Path(path))
        if len(lists) != len(languages):
            raise ArtefactError(
                f"{path}: holds {len(lists)} languages, {len(languages)} were named ({', '.join(languages)})"
            )
        if len({len(row) for row in lists}) != 1:
            raise ArtefactError(f"{path}: languages with different numbers of layers")
        neurons = {
            language: {k: _indices(index, f"{path}: {language}, layer {k}") for k, index in enumerate(row)}
            for language, row in zip(languages, lists, strict=True)
        }
        return cls(neurons, layers=len(lists[0]))

    def write_lape(self, path: str | Path, languages: Sequence[str]) -> None:
        """Write the published LAPE format, with the lists in the order of `languages`.

        Raises:
            ValueError: the neurons are at another site than the format means.
        """
        if self.site != "intermediate":
            raise ValueError(f"LAPE's format has no place for site {self.site!r}; it means 'intermediate'")
        empty = np.empty(0, np.int64)
        lists = [
            [torch.from_numpy(self[language].get(k, empty)).long() for k in range(self.layers)]
            for language in languages
        ]
        with atomic_file(path) as partial:
            torch.save(lists, partial)


def _load_lists(path: Path) -> list[list[Any]]:
    if not path.is_file():
        raise ArtefactError(f"{path}: no such file of masks")
    if is_lfs_pointer(path):
        raise ArtefactError(
            f"{path}: a git-LFS pointer instead of the file; run `git lfs pull` or download it again"
        )
    try:
        lists = load_plain_tensors(path)
    except OtherObjectsError as error:
        raise ArtefactError(
            f"{path}: not a PyTorch file of plain tensors{error}; other objects are never loaded, because they can run "
            "code: save a list per language of a list per layer of int64 tensors"
        ) from error
    except PickleError as error:
        raise ArtefactError(
            f"{path}: not a PyTorch file of plain tensors, or cut or damaged; download or save it again"
        ) from error
    if not isinstance(lists, list) or not lists or not all(isinstance(row, list) for row in lists):
        raise ArtefactError(
            f"{path}: expected a list per language of a list per layer of index tensors, found {_kind(lists)}"
        )
    return lists


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')} and shape {list(value.shape)}"
    inner = f" of {_kind(value[0]).removeprefix('a ')}" if isinstance(value, (list, tuple)) and value else ""
    return f"a {type(value).__name__}{inner}"


def _indices(index: Any, where: str) -> Indices:
    """Return an index tensor as int64 `[n]`, ascending; raise `ArtefactError` if it is none."""
    integer = isinstance(index, torch.Tensor) and not index.is_floating_point() and not index.is_complex()
    # uint8 is the type of masks of older versions of PyTorch.
    if not integer or index.ndim != 1 or index.dtype in (torch.bool, torch.uint8):
        raise ArtefactError(
            f"{where}: {_kind(index)}; expected a one-dimensional integer tensor of neurons' indices (a boolean mask "
            "m becomes one by m.nonzero().flatten())"
        )
    values = index.numpy().astype(np.int64)
    if len(values) and values.min() < 0:
        raise ArtefactError(f"{where}: neuron {values.min()}; indices of neurons begin with 0")
    if len(values) > 2 and values.max() <= 1:
        raise ArtefactError(
            f"{where}: {len(values)} zeros and ones, which is a mask and not the indices of neurons; save "
            "m.nonzero().flatten() of a mask m"
        )
    return np.unique(values)
