"""The tokenizer of a model folder: loaded, and checked against the model."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from crane.artefacts import read_json
from crane.models.errors import ModelError, reason, some
from crane.models.fetched import check_fetched

MODEL = "tokenizer.model"
"""A SentencePiece model."""
TOKENIZERS = ("tokenizer.json", MODEL, "vocab.json")
"""Files that hold a vocabulary; a folder has one of them."""
_READ = (
    *TOKENIZERS, "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json",
)  # fmt: skip
_GENERAL = ("TokenizersBackend", "PreTrainedTokenizerFast")
_KNOWN_BETTER = ("phi3", "qwen2")
_PROBE = "Which month comes after March?"


def load_tokenizer(folder: str | Path) -> Any:
    """Load the tokenizer of a model folder; it prepends BOS to every text if it has one.

    GPT-2's published tokenizer does not, although the model was trained with it: samples, prompts and benchmarks begin
    with BOS for such a tokenizer as well.

    Raises:
        ModelError: there is no such folder, it has no tokenizer, the tokenizer cannot be read or is code of the folder,
            it encodes no text, or it does not prepend its BOS even with `add_bos_token`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder")
    _check_files(folder)
    try:
        tokenizer = _load(folder)
    except ModelError:
        raise
    except (
        Exception
    ) as error:  # transformers and tokenizers raise many kinds; each means the same to the user
        raise ModelError(
            f"{folder}: no readable tokenizer ({reason(error)}); save or download it again"
        ) from error
    encoded = tokenizer(_PROBE, add_special_tokens=False).input_ids
    if not set(encoded) - {tokenizer.unk_token_id}:
        # transformers builds an empty tokenizer from files that it does not understand.
        raise ModelError(
            f"{folder}: the tokenizer ({len(tokenizer)} tokens) has none for plain text; its files are empty "
            "or not those of its class: save or download them again"
        )
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


def _load(folder: Path) -> Any:
    """Load a tokenizer with the class that transformers chooses for it."""
    if _is_general(folder):
        return PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False)
    # Imported here, because it imports PyTorch and much else, which takes seconds.
    from transformers import AutoTokenizer

    if (folder / MODEL).exists() and not (folder / "tokenizer.json").exists():
        from crane.models.sentencepiece_models import load_sentencepiece

        return load_sentencepiece(folder, MODEL)
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def _is_general(folder: Path) -> bool:
    """Return whether transformers 5.19 takes its general class, PreTrainedTokenizerFast, for a folder's tokenizer.

    It takes the class that tokenizer_config.json names, except for the model types that it knows better.
    """
    paths = (folder / "tokenizer.json", folder / "tokenizer_config.json", folder / "config.json")
    if not all(path.exists() for path in paths):
        return False
    stated, model = (read_json(path) for path in paths[1:])
    if not isinstance(stated, dict) or not isinstance(model, dict):
        return False
    return stated.get("tokenizer_class") in _GENERAL and model.get("model_type") not in _KNOWN_BETTER


def _check_files(folder: Path) -> None:
    if not any((folder / name).exists() for name in TOKENIZERS):
        raise ModelError(f"{folder}: no tokenizer ({', '.join(TOKENIZERS)}); save it beside the weights")
    check_fetched(folder, [folder / name for name in _READ])
    if not (folder / "tokenizer_config.json").exists():
        return
    try:
        stated = read_json(folder / "tokenizer_config.json")
    except ValueError as error:
        raise ModelError(f"{folder}: no readable tokenizer_config.json ({reason(error)})") from error
    if isinstance(stated, dict) and "auto_map" in stated:
        raise ModelError(
            f"{folder}: tokenizer_config.json names code of the folder (auto_map), which is never run; save the "
            "tokenizer as tokenizer.json and remove auto_map"
        )


def _begins_with_bos(tokenizer: Any) -> bool:
    """Return whether encoded texts begin with BOS; true for a tokenizer without one."""
    return tokenizer.bos_token_id is None or tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]


def check_tokenizer(folder: Path, config: Any) -> None:
    """Check that a folder's tokenizer can be loaded, fits the model's embedding, and renders its chat template.

    Args:
        folder: the model folder.
        config: its configuration.

    Raises:
        ModelError: as of `load_tokenizer`; or tokens have no row in the embedding; or the template raises or leaves out
            the user's message.
    """
    tokenizer = load_tokenizer(folder)
    rows = config.get_text_config().vocab_size
    number = tokenizer.get_vocab()
    beyond = sorted((token for token in number if number[token] >= rows), key=number.__getitem__)
    if beyond:
        raise ModelError(
            f"{folder}: the tokenizer is larger than the model's embedding of {rows} rows, which has none for "
            f"{some(f'{token!r} ({number[token]})' for token in beyond)}; remove these tokens from the tokenizer's "
            "files, or take the tokenizer that belongs to the model"
        )
    if tokenizer.chat_template:
        _check_template(folder, tokenizer)


def _check_template(folder: Path, tokenizer: Any) -> None:
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": _PROBE}], tokenize=False, add_generation_prompt=True
        )
    except Exception as error:  # a template may raise anything
        raise ModelError(
            f"{folder}: the chat template cannot be rendered ({reason(error)}); correct it, or remove it "
            "(chat_template.jinja, or chat_template in tokenizer_config.json) and set open_questions.chat_template: "
            "false"
        ) from error
    if _PROBE not in text:
        raise ModelError(
            f"{folder}: the chat template leaves out a user's message that is text; correct it, or remove it and set "
            "open_questions.chat_template: false"
        )
