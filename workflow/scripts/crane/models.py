"""Model folders: linked from the user's disk, checked, loaded."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from crane.architectures import UnsupportedModelError, attention_cap, family_of
from crane.artefacts import read_json, sha256, whole_folder, write_json
from crane.errors import CraneError

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


class ModelError(CraneError, ValueError):
    """A model folder cannot be used."""


def check_tokenizer(folder: Path) -> None:
    """Raise `ModelError` where a model folder has no tokenizer: transformers would guess one."""
    if not any((folder / name).exists() for name in TOKENIZERS):
        raise ModelError(f"{folder}: no tokenizer ({', '.join(TOKENIZERS)}); save it beside the weights")


def check_config(folder: Path, name: str, layers: int, intermediate_size: int) -> None:
    """Compare a folder's config.json with what the study says of the model.

    Raises:
        ModelError: they differ, says what to write; or config.json cannot be read.
        UnsupportedModelError: the model's family is unknown.
    """
    try:
        whole = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable config.json ({error})") from error
    family_of(whole)
    config = whole.get_text_config()
    found = (
        config.num_hidden_layers,
        getattr(config, "intermediate_size", None) or config.n_inner or 4 * config.n_embd,
    )
    if found != (layers, intermediate_size):
        raise ModelError(
            f"model {name!r} has {found[0]} layers of {found[1]} neurons, the configuration says {layers} of "
            f"{intermediate_size}; correct models.{name}.layers and models.{name}.intermediate_size"
        )


def check_folder(source: Path, name: str, layers: int, intermediate_size: int) -> None:
    """Check that a folder holds a whole model of the shape that the study says.

    Raises:
        ModelError: the folder is missing, has no readable config.json, no weights or tokenizer, or the model has
            another shape.
        UnsupportedModelError: the model's family is unknown.
    """
    if not source.is_dir():
        raise ModelError(f"{source}: no such model folder (models.<name>.path)")
    if not (source / "config.json").exists():
        raise ModelError(f"{source}: no config.json; a Hugging Face model folder is needed")
    if not any(list(source.glob(pattern)) for pattern in WEIGHTS):
        raise ModelError(f"{source}: no weights ({' or '.join(WEIGHTS)})")
    check_tokenizer(source)
    check_config(source, name, layers, intermediate_size)


def link_folder(source: Path, target: Path, name: str, layers: int, intermediate_size: int) -> dict[str, Any]:
    """Link every file of a Hugging Face model folder into `target` and write its `manifest.json`.

    Raises:
        ModelError: as of `check_folder`.
    """
    check_folder(source, name, layers, intermediate_size)
    files = sorted(path for path in source.iterdir() if path.is_file() and path.name != "manifest.json")
    manifest = {"source": str(source.resolve()), "sha256": {path.name: sha256(path) for path in files}}
    with whole_folder(target) as partial:
        for path in files:
            (partial / path.name).symlink_to(path.resolve())
        write_json(manifest, partial / "manifest.json")
    return manifest


def identity(folder: str | Path) -> dict[str, Any]:
    """Return what identifies a model in the metadata of results: its manifest without the training's course."""
    manifest = read_json(Path(folder) / "manifest.json")
    keys = ("source", "revision", "commit", "sha256", "settings")
    return {key: manifest[key] for key in keys if key in manifest}


def load_tokenizer(folder: str | Path) -> Any:
    """Load the tokenizer of a model folder; it puts BOS before every text where it has one.

    GPT-2's as published does not, though the models have met texts behind it: samples, prompts and benchmarks all
    begin with BOS, of such a tokenizer as well.

    Raises:
        ModelError: there is no such folder, it has no tokenizer, the tokenizer cannot be read, or it does not put its
            BOS before texts even when told to.
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
    """Return whether texts begin with BOS; of a tokenizer that has none they need not."""
    return tokenizer.bos_token_id is None or tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]


def load_model(folder: str | Path, dtype: str = "auto", device: str | None = None) -> Any:
    """Load a causal language model for inference.

    Args:
        folder: a Hugging Face model folder.
        dtype: `auto`: bfloat16 on a GPU, float32 on a CPU (method, section 2); or a torch dtype's name.
        device: a torch device; a GPU where there is one, by default.

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
        # transformers' default attention leaves soft-capping out without a word.
        capped = attention_cap(config) is not None
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), attn_implementation="eager" if capped else None
        )
    except UnsupportedModelError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder}: no readable model ({error})") from error
    return model.to(device).eval()
