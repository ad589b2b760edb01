"""The Hugging Face engine: any machine, masks by zeroed weights."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from crane.evaluation.engine import (
    EngineError,
    Generation,
    Prompt,
    check_length,
    encode,
    end_tokens,
    read_answer,
)
from crane.models.architectures import logit_cap
from crane.models.loading import load_model, load_tokenizer
from crane.neurons import interventions
from crane.neurons.neuron_set import NeuronSet


class HuggingFaceEngine:
    """A model folder loaded with transformers."""

    def __init__(
        self, folder: str | Path, *, dtype: str = "auto", device: str | None = None, batch_size: int = 32
    ) -> None:
        self.tokenizer = load_tokenizer(folder)
        self.model = load_model(folder, dtype, device)
        self.batch_size = batch_size

    def lm(self) -> Any:
        """Return the model as lm-evaluation-harness's `LM`; BOS is added to every context."""
        # Imported here: evaluation alone needs lm-eval, and its import takes seconds.
        from lm_eval.models.huggingface import HFLM

        lm = HFLM(
            pretrained=self.model,
            tokenizer=self.tokenizer,
            batch_size=self.batch_size,
            add_bos_token=self.tokenizer.bos_token_id is not None,
        )
        bos = self.tokenizer.bos_token_id
        if bos is not None and lm.tok_encode("a")[0] != bos:
            raise EngineError(f"the tokenizer of {self.model.name_or_path} does not start with BOS ({bos})")
        return lm

    def masked(
        self, neurons: NeuronSet, language: str, *, scale: float = 0.0, values: np.ndarray | None = None
    ) -> AbstractContextManager[Any]:
        """Multiply the outputs of one language's neurons by `scale` (0 masks them) while the context lasts.

        With `values` `[K, I]` the neurons are set to these instead.
        """
        return interventions.masked(self.model, neurons, language, scale=scale, values=values)

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        repetition_penalty: float = 1.0,
        context: int = 4096,
    ) -> list[Generation]:
        """Answer greedily, in the order of the prompts.

        Args:
            prompts: prompts with their stop strings.
            max_new_tokens: limit of each answer.
            repetition_penalty: as in transformers; 1 is none.
            context: longest prompt and answer together; cut to the model's own limit with a warning.

        Raises:
            EngineError: a prompt leaves no room for an answer.
        """
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", context)
        encoded, context = encode(prompts, self.tokenizer, context, limit)
        ends = end_tokens(self.tokenizer, self.model.generation_config)
        answers: dict[int, Generation] = {}
        # Prompts of equal length share a batch, so that nothing is padded and a batch changes no answer.
        order = sorted(range(len(prompts)), key=lambda i: (len(encoded[i]), prompts[i].stop))
        with tqdm(total=len(prompts), unit="answer", mininterval=5) as bar:
            while order:
                first = order[0]
                key = len(encoded[first]), prompts[first].stop
                batch = [i for i in order[: self.batch_size] if (len(encoded[i]), prompts[i].stop) == key]
                order = order[len(batch) :]
                new = min(max_new_tokens, context - len(encoded[first]))
                ids = torch.tensor([encoded[i] for i in batch], device=self.model.device)
                output = self.model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=False,
                    max_new_tokens=new,
                    repetition_penalty=repetition_penalty,
                    stop_strings=list(key[1]) or None,
                    tokenizer=self.tokenizer if key[1] else None,
                    pad_token_id=self.tokenizer.pad_token_id,
                )
                for i, row in zip(batch, output[:, ids.shape[1] :].tolist(), strict=True):
                    answers[i] = read_answer(row, key[1], self.tokenizer, ends)
                bar.update(len(batch))
        return [answers[i] for i in range(len(prompts))]

    @torch.inference_mode()
    def log_likelihoods(self, samples: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-likelihood (nats) of each sample's tokens after the first, in the order of the samples.

        Args:
            samples: token numbers of each, at least two, BOS included.

        Raises:
            EngineError: a sample is longer than the model can read.
        """
        config = self.model.config.get_text_config()
        check_length(samples, getattr(config, "max_position_embeddings", max(map(len, samples))))
        head, device = self.model.get_output_embeddings(), self.model.device
        cap = logit_cap(self.model.config)  # applied behind the output layer
        found: dict[int, float] = {}
        # Samples of similar length share a batch, the longest first: too large a batch fails at once.
        order = sorted(range(len(samples)), key=lambda i: (-len(samples[i]), i))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            rows = [torch.tensor(samples[i], device=device) for i in chosen]
            mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
            hidden = self.model.base_model(
                input_ids=pad_sequence(rows, batch_first=True), attention_mask=mask, use_cache=False
            ).last_hidden_state
            # Sample by sample: the logits of a batch over the whole vocabulary would not fit.
            for i, row, states in zip(chosen, rows, hidden, strict=True):
                logits = head(states[: len(row) - 1])
                if cap:
                    logits = torch.tanh(logits / cap) * cap
                logprobs = logits.float().log_softmax(-1)
                found[i] = float(logprobs.gather(1, row[1:, None]).double().sum())
        return [found[i] for i in range(len(samples))]
