"""Train the demo's base model and, from it, its chat model.

Both are ordinary Hugging Face folders (LLaMA architecture, safetensors), so that every later stage reads them
as it reads a model of the hub. Same texts, settings, machine and number of threads: bitwise the same weights.
"""

import hashlib
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import tokenizers
import torch
import transformers
from torch import Tensor
from tqdm import tqdm
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    get_scheduler,
)

from crane.artefacts import atomic_folder, write_json
from crane.demo.tokenizer import CHAT_TEMPLATE, POSITIONS, train_tokenizer


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How the weights are updated: AdamW, linear warm-up, cosine decay."""

    steps: int
    """Updates of the weights."""
    learning_rate: float
    """At the end of the warm-up."""
    batch_size: int = 16
    """Rows of `length` tokens per update."""
    length: int = 128
    """Tokens of a row; documents are packed into rows without padding."""
    warm_up: float = 0.05
    """Share of the steps."""
    final_rate: float = 0.05
    """Learning rate after the last step, as a share of the highest."""
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.98
    clip: float = 1.0
    """Largest norm of the gradient."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class BaseSettings(TrainingSettings):
    """The base model: its size and its training."""

    steps: int = 900
    learning_rate: float = 3e-3
    vocabulary: int = 2400
    """Entries of the tokenizer at most, special tokens included."""
    hidden_size: int = 128
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 256


@dataclass(frozen=True, kw_only=True)
class ChatSettings(TrainingSettings):
    """The chat model: the base model, trained on."""

    steps: int = 150
    learning_rate: float = 6e-4
    replay: float = 0.25
    """Documents of statements, as a share of all documents; without them the base model's facts fade."""


def pack(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, length: int) -> Tensor:
    """Return the documents, each between `<s>` and `</s>`, cut into rows: int64 `[rows, length]`.

    Raises:
        ValueError: the documents do not fill one row.
    """
    stream: list[int] = []
    for ids in tokenizer(list(texts))["input_ids"]:
        stream += [*ids, tokenizer.eos_token_id]
    rows = len(stream) // length
    if rows == 0:
        raise ValueError(f"{len(texts)} documents give {len(stream)} tokens, fewer than one row of {length}")
    return torch.tensor(stream[: rows * length]).view(rows, length)


def _batches(rows: Tensor, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield `[batch_size, length]` endlessly, in rounds that contain every row once."""
    waiting = torch.empty(0, dtype=torch.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = torch.cat([waiting, torch.randperm(len(rows), generator=generator)])
        yield rows[waiting[:batch_size]]
        waiting = waiting[batch_size:]


def _optimizer(model: LlamaForCausalLM, settings: TrainingSettings) -> torch.optim.AdamW:
    # Norm weights are scales around 1: decay would pull them away from it.
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas, fused=True)


def _train(model: LlamaForCausalLM, rows: Tensor, settings: TrainingSettings) -> list[float]:
    """Update the model in place and return the loss (nats per token) of every step."""
    generator = torch.Generator().manual_seed(settings.seed)
    batches = _batches(rows, settings.batch_size, generator)
    optimizer = _optimizer(model, settings)
    schedule = get_scheduler(
        "cosine_with_min_lr",
        optimizer,
        num_warmup_steps=round(settings.warm_up * settings.steps),
        num_training_steps=settings.steps,
        scheduler_specific_kwargs={"min_lr_rate": settings.final_rate},
    )
    losses = []
    model.train()
    tokens = settings.batch_size * settings.length
    with tqdm(total=settings.steps * tokens, unit="tok", unit_scale=True, mininterval=5) as progress:
        for _ in range(settings.steps):
            batch = next(batches)
            loss = model(input_ids=batch, labels=batch, use_cache=False).loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            progress.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            progress.update(tokens)
    model.eval()
    return losses


def _save(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    folder: str | Path,
    settings: TrainingSettings,
    losses: list[float],
    facts: Mapping[str, Any],
) -> None:
    """Write the folder atomically, with a `manifest.json` that records how it was made."""
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with atomic_folder(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        weights = (partial / "model.safetensors").read_bytes()
        manifest = {
            "settings": asdict(settings),
            **facts,
            "parameters": model.num_parameters(),
            "threads": torch.get_num_threads(),
            "losses": [round(loss, 4) for loss in losses],
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "tokenizers": tokenizers.__version__,
            },
            "sha256": hashlib.sha256(weights).hexdigest(),
        }
        write_json(manifest, partial / "manifest.json")


def _shuffled(texts: Sequence[str], seed: int) -> list[str]:
    return Random(f"documents/{seed}").sample(texts, len(texts))


def train_base(
    documents: Sequence[Mapping[str, str]], folder: str | Path, settings: BaseSettings, *, threads: int
) -> None:
    """Train tokenizer and model on all documents and write them as a Hugging Face folder.

    Args:
        documents: records of `texts.training_documents`, of all languages.
        folder: the model's folder; replaced if it exists.
        settings: size and training of the model.
        threads: CPU threads; they determine the order of summation and so the last bits of the weights.

    Raises:
        ValueError: the documents do not fill one row of `settings.length` tokens.
    """
    start = time.perf_counter()
    torch.set_num_threads(threads)
    texts = _shuffled([document["text"] for document in documents], settings.seed)
    tokenizer = train_tokenizer(texts, settings.vocabulary)
    rows = pack(texts, tokenizer, settings.length)
    torch.manual_seed(settings.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        intermediate_size=settings.intermediate_size,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype=torch.float32,
    )
    model = LlamaForCausalLM(config)
    losses = _train(model, rows, settings)
    seconds = round(time.perf_counter() - start, 1)
    facts = {"documents": len(texts), "rows": len(rows), "seconds": seconds}
    _save(model, tokenizer, folder, settings, losses, facts)


def train_chat(
    documents: Sequence[Mapping[str, str]],
    base: str | Path,
    folder: str | Path,
    settings: ChatSettings,
    *,
    threads: int,
) -> None:
    """Train the base model further: on documents of questions, and on some of statements so that facts are kept.

    Args:
        documents: records of `texts.training_documents`, of all languages.
        base: folder written by `train_base`.
        folder: the chat model's folder; replaced if it exists.
        settings: training, and the share of statements.
        threads: CPU threads, as in `train_base`.

    Raises:
        ValueError: the documents do not fill one row of `settings.length` tokens.
        OSError: `base` is not a model folder.
    """
    start = time.perf_counter()
    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    tokenizer.chat_template = CHAT_TEMPLATE
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, trust_remote_code=False)
    asked = [document["text"] for document in documents if document["kind"] == "questions"]
    told = [document["text"] for document in documents if document["kind"] == "statements"]
    replayed = min(len(told), round(len(asked) * settings.replay / (1 - settings.replay)))
    texts = _shuffled(asked + _shuffled(told, settings.seed)[:replayed], settings.seed)
    rows = pack(texts, tokenizer, settings.length)
    torch.manual_seed(settings.seed)
    losses = _train(model, rows, settings)
    seconds = round(time.perf_counter() - start, 1)
    facts = {"base": Path(base).name, "documents": len(texts), "rows": len(rows), "seconds": seconds}
    _save(model, tokenizer, folder, settings, losses, facts)
