"""Tokenizers that come as tokenizer.model alone, a SentencePiece model, as those of many LLaMA-2 tunes do."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, LlamaTokenizer
from transformers.utils import is_protobuf_available, is_sentencepiece_available

from crane.models.errors import ModelError, reason

_PROBES = ("Which month comes after March?", "Thủ đô của Việt Nam là Hà Nội.", "北京在中国。")
"""Texts that every normalisation leaves as they are, so that SentencePiece itself says what is right."""


def load_sentencepiece(folder: Path, name: str) -> Any:
    """Load a tokenizer from a folder's file of that name, such that it encodes as SentencePiece does.

    transformers 5.19 chooses a class by the folder's other files, and some (for Mistral's configuration, or without
    tokenizer_config.json) leave out the space before the first word.

    Raises:
        ModelError: sentencepiece or protobuf is missing, the file is no SentencePiece model, or no class of
            transformers encodes as it does.
    """
    if not (is_sentencepiece_available() and is_protobuf_available()):
        raise ModelError(
            f"{folder}: {name} needs the packages sentencepiece and protobuf, which this environment lacks; run "
            "`make install`"
        )
    # Imported here, because only such a tokenizer needs it.
    from sentencepiece import SentencePieceProcessor

    try:
        model = SentencePieceProcessor(model_file=str(folder / name))
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{folder}: {name} is cut, damaged or no SentencePiece model ({reason(error)}); download it again, or add "
            "the model's tokenizer.json"
        ) from error
    expected = [model.encode(text) for text in _PROBES]
    for kind in (AutoTokenizer, LlamaTokenizer):
        tokenizer = kind.from_pretrained(folder, trust_remote_code=False)
        if [tokenizer(text, add_special_tokens=False).input_ids for text in _PROBES] == expected:
            return tokenizer
    raise ModelError(
        f"{folder}: transformers encodes texts otherwise than {name} says; add the model's tokenizer.json"
    )
