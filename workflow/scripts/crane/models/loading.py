"""Load the model of a Hugging Face folder."""

from functools import reduce
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from crane.models.errors import ModelError, reason
from crane.models.families import attention_cap
from crane.models.folders import check_whole
from crane.models.tensors import check_report, report_of
from crane.models.weights import read_headers, weight_files


def preferred_device() -> str:
    """Return the torch device on which models run unless told otherwise: a GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_model(
    folder: str | Path, dtype: str = "auto", device: str | None = None, *, weights: str | None = None
) -> Any:
    """Load a causal language model for inference.

    Args:
        folder: a Hugging Face model folder.
        dtype: `auto`: bfloat16 on a GPU, float32 on a CPU (method, section 2); `stored`: that of the
            weights, or the narrowest that holds those of all of them; or the name of a torch dtype.
        device: a torch device; by default a GPU if there is one.
        weights: where the weights are put, if not on the device on which they will be used.

    Raises:
        ModelError: the folder does not hold a whole model (`crane.models.folders.check_whole`), or its weights hold
            an output layer besides the embedding that is to be the output layer.
        UnsupportedModelError: its family is unknown.
    """
    device = device or preferred_device()
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    config = check_whole(folder)
    # The default attention of transformers silently omits soft-capping.
    capped = attention_cap(config) is not None
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=_stored_dtype(folder) if dtype == "stored" else getattr(torch, dtype),
            attn_implementation="eager" if capped else None,
            output_loading_info=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: no readable model ({reason(error)})") from error
    check_report(folder, config, report_of(loaded))
    _check_tied(folder, model)
    return model.to(weights or device).eval()


def _stored_dtype(folder: str | Path) -> torch.dtype:
    """Return the dtype that holds all weights of a folder without loss; config.json may state another."""
    tensors = read_headers(weight_files(Path(folder))).values()
    return reduce(torch.promote_types, {tensor.dtype for tensor in tensors if tensor.is_floating_point()})


def _check_tied(folder: str | Path, model: Any) -> None:
    """Refuse two different output layers: transformers 5.19 takes the stored one, vLLM the embedding."""
    embedding, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    if model.config.tie_word_embeddings and embedding.data_ptr() != output.data_ptr():
        raise ModelError(
            f"{folder}: config.json says that the output layer is the embedding (tie_word_embeddings), and the weights "
            "hold another one; set tie_word_embeddings: false, or remove the output layer from the weights"
        )
