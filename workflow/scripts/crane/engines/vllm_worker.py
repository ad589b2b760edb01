"""Inside vLLM's worker processes: a mask on what the MLPs' down projections read and write.

vLLM imports this module (`worker_extension_cls`) before it builds the model. The import wraps
`RowParallelLinear`, so that every down projection of an MLP carries two buffers of ones, one for its input and one
for its output; the extension's methods, called through `collective_rpc`, fill them. Buffers are part of the
compiled graph, so a mask works in eager and in compiled mode and costs one multiplication.
"""

import re
from typing import Any

import torch
from vllm.model_executor.layers.linear import RowParallelLinear

_DOWN = re.compile(r"\.(\d+)\.mlp\.(?:down_proj|c_proj)$")
"""The prefix under which vLLM builds the MLPs' second linear layers; the group is the layer's number."""
BUFFERS = {"intermediate": "neuron_mask_input", "residual_write": "neuron_mask_output"}

_init, _forward = RowParallelLinear.__init__, RowParallelLinear.forward


def _init_with_mask(self: Any, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    found = _DOWN.search(getattr(self, "prefix", None) or kwargs.get("prefix", ""))
    self.masked_layer = int(found.group(1)) if found else None
    if found:
        widths = {"intermediate": self.input_size_per_partition, "residual_write": self.output_size}
        for site, name in BUFFERS.items():
            ones = torch.ones(widths[site], dtype=self.params_dtype)
            self.register_buffer(name, ones, persistent=False)


def _forward_with_mask(self: Any, input_: torch.Tensor) -> Any:
    if self.masked_layer is None:
        return _forward(self, input_)
    output = _forward(self, input_ * self.neuron_mask_input)
    if isinstance(output, tuple):
        return output[0] * self.neuron_mask_output, *output[1:]
    return output * self.neuron_mask_output


RowParallelLinear.__init__ = _init_with_mask
RowParallelLinear.forward = _forward_with_mask


class NeuronMask:
    """Methods that vLLM adds to its worker class; each is called on every worker."""

    def neuron_mask_shape(self) -> dict[str, Any]:
        """Return this worker's maskable layers: numbers, tensor-parallel rank and size, local and output width."""
        layers = self._masked_layers()
        one = next(iter(layers.values()), None)
        return {
            "layers": sorted(layers),
            "rank": one.tp_rank if one is not None else 0,
            "width": one.input_size_per_partition if one is not None else 0,
            "output_width": one.output_size if one is not None else 0,
            "quantisation": type(one.quant_method).__name__ if one is not None else "",
        }

    def neuron_mask_set(self, neurons: dict[int, list[int]], scale: float, site: str) -> int:
        """Scale these neurons (indices over all ranks), all others by 1; return how many this rank owns."""
        owned = 0
        for layer, linear in self._masked_layers().items():
            for name in BUFFERS.values():
                getattr(linear, name).fill_(1.0)
            mask = getattr(linear, BUFFERS[site])
            # At `intermediate` rank r owns neurons [r n, (r + 1) n); the output is whole on every rank.
            start = linear.tp_rank * len(mask) if site == "intermediate" else 0
            index = torch.tensor(neurons.get(layer, []), dtype=torch.int64) - start
            index = index[(index >= 0) & (index < len(mask))]
            mask[index.to(mask.device)] = scale
            owned += len(index)
        return owned

    def _masked_layers(self) -> dict[int, Any]:
        model = self.get_model()  # type: ignore[attr-defined]   # of vLLM's worker
        found = (module for module in model.modules() if getattr(module, "masked_layer", None) is not None)
        return {module.masked_layer: module for module in found}
