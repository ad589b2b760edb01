"""Files of tensors of all layers that are written whole, read one layer at a time, and checked layer by layer."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from crane.artefacts import ArtefactError, atomic_file


class LayerFiles(NamedTuple):
    """One kind of such files: every tensor is `[K, ...]`, and the metadata hold a checksum per layer."""

    kind: str
    """What a file is, for messages."""
    counts: tuple[str, ...] = ()
    """Numbers in the metadata that the checksums cover, too."""

    def write(self, tensors: Mapping[str, Tensor], path: str | Path, metadata: Mapping[str, Any]) -> None:
        """Write tensors of all layers atomically; the metadata hold the counts."""
        on_host = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        layers = range(len(next(iter(on_host.values()))))
        header = {**metadata, "sha256": [self._digest(on_host, layer, metadata) for layer in layers]}
        with atomic_file(path) as partial:
            save_file(on_host, partial, metadata={"crane": json.dumps(header, sort_keys=True)})

    def read(self, path: str | Path, layer: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors of one layer, without that axis, and the metadata; no other layer is read.

        Raises:
            ArtefactError: the file is truncated, altered, or has no such layer.
        """
        with self._opened(path) as (file, header):
            tensors = {name: file.get_slice(name)[layer : layer + 1] for name in sorted(file.keys())}
        digests = header.get("sha256", [])
        if layer >= len(digests):
            raise ArtefactError(
                f"{path}: holds {len(digests)} layers, layer {layer} was asked for; delete it and run again"
            )
        if self._digest(tensors, 0, header) != digests[layer]:
            raise ArtefactError(f"{path}: layer {layer} does not match its checksum; delete it and run again")
        return {name: tensor[0] for name, tensor in tensors.items()}, header

    def header(self, path: str | Path) -> dict[str, Any]:
        """Return the metadata.

        Raises:
            ArtefactError: the file is truncated or altered.
        """
        with self._opened(path) as (_, header):
            return header

    @contextmanager
    def _opened(self, path: str | Path) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Open a file; errors while reading it mean that it is damaged."""
        try:
            with safe_open(path, framework="pt") as file:
                yield file, json.loads((file.metadata() or {}).get("crane", "{}"))
        except (SafetensorError, OSError, IndexError, json.JSONDecodeError) as error:
            raise ArtefactError(
                f"{path}: not a readable {self.kind} ({error}); delete it and run again"
            ) from error

    def _digest(self, tensors: Mapping[str, Tensor], layer: int, header: Mapping[str, Any]) -> str:
        digest = hashlib.sha256(" ".join(str(header[name]) for name in self.counts).encode())
        for name in sorted(tensors):
            digest.update(name.encode())
            digest.update(tensors[name][layer].contiguous().numpy().tobytes())
        return digest.hexdigest()
