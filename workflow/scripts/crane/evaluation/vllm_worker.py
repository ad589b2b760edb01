"""Masks on the inputs and outputs of the MLPs' down projections, inside vLLM's worker processes.

vLLM imports this module (`worker_extension_cls`) before it builds the model. The import wraps `RowParallelLinear`, so
that every down projection of an MLP has factors (ones) and shifts (zeros) for its input and for its output; the
extension's methods, called through `collective_rpc`, fill them. Buffers are part of the compiled graph, so masks work
in eager and in compiled mode and cost one multiplication and one addition.
"""

import re
from typing import Any

import torch
from vllm.model_executor.layers.activation import get_act_fn
from vllm.model_executor.layers.linear import RowParallelLinear
from vllm.model_executor.models import bloom
from vllm.model_executor.models.gemma3 import Gemma3ForCausalLM
from vllm.model_executor.models.utils import WeightsMapper

_DOWN = re.compile(r"\.(\d+)\.(?:mlp\.(?:down_proj|c_proj|dense_4h_to_h)|fc2)$")
"""The prefix under which vLLM builds the MLPs' second linear layers; the group is the layer's number."""
BUFFERS = {"intermediate": "neuron_mask_input", "residual_write": "neuron_mask_output"}
SHIFTS = {"intermediate": "neuron_shift_input", "residual_write": "neuron_shift_output"}

_init, _forward = RowParallelLinear.__init__, RowParallelLinear.forward


def _init_with_mask(self: Any, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    match = _DOWN.search(getattr(self, "prefix", None) or kwargs.get("prefix", ""))
    self.masked_layer = int(match.group(1)) if match else None
    if match:
        widths = {"intermediate": self.input_size_per_partition, "residual_write": self.output_size}
        for site, width in widths.items():
            ones = torch.ones(width, dtype=self.params_dtype)
            self.register_buffer(BUFFERS[site], ones, persistent=False)
            self.register_buffer(SHIFTS[site], torch.zeros_like(ones), persistent=False)


def _forward_with_mask(self: Any, input_: torch.Tensor) -> Any:
    if self.masked_layer is None:
        return _forward(self, input_)
    output = _forward(self, input_ * self.neuron_mask_input + self.neuron_shift_input)
    if isinstance(output, tuple):
        return output[0] * self.neuron_mask_output + self.neuron_shift_output, *output[1:]
    return output * self.neuron_mask_output + self.neuron_shift_output


RowParallelLinear.__init__ = _init_with_mask
RowParallelLinear.forward = _forward_with_mask

# The text decoder of a multimodal Gemma 3, loaded alone: in the files of the whole model its weights have other names,
# which changed with transformers 4.52; all other weights are skipped.
Gemma3ForCausalLM.hf_to_vllm_mapper = Gemma3ForCausalLM.hf_to_vllm_mapper | WeightsMapper(
    orig_to_new_prefix={
        "language_model.model.": "model.",
        "language_model.lm_head.": "lm_head.",
        "model.language_model.": "model.",
        "vision_tower.": None,
        "model.vision_tower.": None,
        "multi_modal_projector.": None,
        "model.multi_modal_projector.": None,
    }
)

# vLLM takes the exact GELU for every BLOOM, which was trained with its approximation by tanh (BloomGelu, transformers).
bloom.get_act_fn = lambda name: get_act_fn("gelu_pytorch_tanh")


class NeuronMask:
    """Methods that vLLM adds to its worker class; each is called on every worker."""

    def neuron_mask_shape(self) -> dict[str, Any]:
        """Return this worker's maskable layers: numbers in the model's order, rank, local and output width."""
        modules = self._masked_modules()
        one = modules[0] if modules else None
        return {
            "layers": [module.masked_layer for module in modules],
            "rank": one.tp_rank if one is not None else 0,
            "width": one.input_size_per_partition if one is not None else 0,
            "output_width": one.output_size if one is not None else 0,
            "quantisation": type(one.quant_method).__name__ if one is not None else "",
        }

    def neuron_mask_runner(self) -> dict[str, Any]:
        """Return the class of vLLM's model runner, whether it is version 2, and whether graphs are compiled."""
        runner = self.model_runner  # type: ignore[attr-defined]   # of vLLM's worker
        kind = type(runner)
        compilation = runner.vllm_config.compilation_config
        return {
            "runner": f"{kind.__module__}.{kind.__name__}",
            "v2": ".gpu.model_runner" in kind.__module__,
            "compiled": not runner.vllm_config.model_config.enforce_eager and compilation.mode != 0,
        }

    def neuron_mask_set(
        self,
        neurons: dict[int, list[int]],
        factors: dict[int, list[float]],
        site: str,
        shifts: dict[int, list[float]],
    ) -> int:
        """Multiply these neurons (indices over all ranks) by their factors and add their shifts; reset all others.

        All three by layer, in the order of the neurons. Returns how many of the neurons this rank owns.
        """
        owned = 0
        for linear in self._masked_modules():
            layer = linear.masked_layer
            for name in BUFFERS.values():
                getattr(linear, name).fill_(1.0)
            for name in SHIFTS.values():
                getattr(linear, name).fill_(0.0)
            mask, shift = getattr(linear, BUFFERS[site]), getattr(linear, SHIFTS[site])
            # At `intermediate` rank r owns neurons [r n, (r + 1) n); the output is whole on every rank.
            start = linear.tp_rank * len(mask) if site == "intermediate" else 0
            index = torch.tensor(neurons.get(layer, []), dtype=torch.int64) - start
            here = (index >= 0) & (index < len(mask))
            index = index[here].to(mask.device)
            mask[index] = torch.tensor(factors.get(layer, []))[here].to(mask)
            # Outputs that the ranks add up later (Cohere's, together with those of attention) get the shifts once.
            if site == "intermediate" or linear.reduce_results or linear.tp_rank == 0:
                shift[index] = torch.tensor(shifts.get(layer, []))[here].to(shift)
            owned += len(index)
        return owned

    def _masked_modules(self) -> list[Any]:
        model = self.get_model()  # type: ignore[attr-defined]   # of vLLM's worker
        return [module for module in model.modules() if getattr(module, "masked_layer", None) is not None]
