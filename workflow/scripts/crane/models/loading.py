"""Load the model and the tokenizer of a Hugging Face folder."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from crane.models.architectures import UnsupportedModelError, attention_cap, positions
from crane.models.folders import ModelError, check_tokenizer


def load_tokenizer(folder: str | Path) -> Any:
    """Load the tokenizer of a model folder; it prepends BOS to every text if it has one.

    GPT-2's published tokenizer does not, although the model was trained with it: samples, prompts and benchmarks begin
    with BOS for such a tokenizer as well.

    Raises:
        ModelError: there is no such folder, it has no tokenizer, the tokenizer cannot be read, or it does not prepend
            its BOS even with `add_bos_token`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder")
    check_tokenizer(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable tokenizer ({error})") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not _begins_with_bos(tokenizer):
        tokenizer.add_bos_token = True
        if not _begins_with_bos(tokenizer):
            raise ModelError(
                f"{folder}: the tokenizer does not put its BOS {tokenizer.bos_token!r} before texts; save a "
                "tokenizer.json whose post-processor does"
            )
    return tokenizer


def _begins_with_bos(tokenizer: Any) -> bool:
    """Return whether encoded texts begin with BOS; true for a tokenizer without one."""
    return tokenizer.bos_token_id is None or tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]


def load_model(folder: str | Path, dtype: str = "auto", device: str | None = None) -> Any:
    """Load a causal language model for inference.

    Args:
        folder: a Hugging Face model folder.
        dtype: `auto`: bfloat16 on a GPU, float32 on a CPU (method, section 2); or the name of a torch dtype.
        device: a torch device; by default a GPU if there is one.

    Raises:
        ModelError: the folder has no readable model.
        UnsupportedModelError: its family is unknown.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    try:
        config = AutoConfig.from_pretrained(folder)
        # The default attention of transformers silently omits soft-capping.
        capped = attention_cap(config) is not None
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), attn_implementation="eager" if capped else None
        )
    except UnsupportedModelError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder}: no readable model ({error})") from error
    return model.to(device).eval()


def context_limit(folder: str | Path) -> int | None:
    """Return the context length of a folder's model in tokens, or None if it has no limit."""
    return positions(AutoConfig.from_pretrained(folder))
