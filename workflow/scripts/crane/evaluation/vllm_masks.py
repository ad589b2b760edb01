"""Masks and other changes of neurons in vLLM, put into the buffers that `vllm_worker` adds to its workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from crane.evaluation.engine import EngineError
from crane.models.architectures import Site
from crane.neurons.changes import Change, Step, composed
from crane.neurons.neuron_set import NeuronSet


class WorkersMasks:
    """The masks of a model whose MLPs are in workers."""

    llm: Any
    layers: int
    widths: dict[str, int]
    """Site -> neurons per layer."""

    @contextmanager
    def masked(
        self, neurons: NeuronSet, language: str, *, scale: float = 0.0, values: np.ndarray | None = None
    ) -> Iterator[None]:
        """Multiply the outputs of one language's neurons by `scale` (0 masks them) while the context lasts.

        With `values` `[K, I]` the neurons are set to these instead.

        Raises:
            KeyError: the set has no mask for the language.
            ValueError: the set was made for another number of layers, a neuron is outside the model, or `values` has
                another shape.
            EngineError: the workers do not own all neurons of the mask, or `values` are by position: a worker's batch
                is the tokens of many requests in a row, and the down projection does not know their positions.
        """
        if values is not None and values.ndim == 3:
            raise EngineError(
                "vLLM cannot give neurons another value at each position (intervention resample): its layers get the "
                "tokens of many requests in a row, without their positions; use engine: hf"
            )
        if neurons.layers != self.layers:
            raise ValueError(
                f"mask {language!r}: made for {neurons.layers} layers, the model has {self.layers}"
            )
        width = self.widths[neurons.site]
        for layer, index in neurons[language].items():
            if len(index) and not 0 <= index.min() <= index.max() < width:
                raise ValueError(
                    f"mask {language!r}, layer {layer}: neuron {index.max()} does not exist, the model has {width} per "
                    f"layer at site {neurons.site!r}"
                )
        if values is not None and values.shape != (self.layers, width):
            raise ValueError(f"values of shape {values.shape}; the model has {self.layers} x {width} neurons")
        step = Step(neurons[language], scale, 0.0) if values is None else Step(neurons[language], 0.0, values)
        with self.changed(composed("value", [step]), neurons.site):
            yield

    @contextmanager
    def changed(self, change: Change, site: Site) -> Iterator[None]:
        """Change neurons at their values while the context lasts: factor and shift of the down projection's input.

        Raises:
            EngineError: a change at the gate, or neurons that the workers do not own.
        """
        if change.site == "gate":
            raise EngineError(
                "vLLM computes gate and neuron in one kernel, so that nothing can change the gate; use engine: hf, or "
                "an intervention with site: value"
            )
        neurons, factors, shifts = (
            {layer: found.tolist() for layer, found in part.items()}
            for part in (change.neurons, change.factors, change.shifts)
        )
        try:
            self._set(neurons, factors, site, shifts)
            yield
        finally:
            self._set({}, {}, site, {})

    def _set(
        self,
        neurons: dict[int, list[int]],
        factors: dict[int, list[float]],
        site: str,
        shifts: dict[int, list[float]],
    ) -> None:
        owned = self.llm.collective_rpc("neuron_mask_set", args=(neurons, factors, site, shifts))
        expected = sum(map(len, neurons.values()))
        total = sum(owned) if site == "intermediate" else owned[0]
        if total != expected:
            raise EngineError(f"the mask has {expected} neurons, vLLM's workers own {total} of them")
        # The cache was computed under the previous mask.
        if not self.llm.reset_prefix_cache():
            raise EngineError(
                "vLLM did not empty its prefix cache; answers under the new mask would be stale"
            )
