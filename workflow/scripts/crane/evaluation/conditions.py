"""One engine, many masks: every mask on every file of prompts, each finished condition stored immediately.

A condition is one mask (of one language of one mask set) on one file of prompts. Its result goes into the store under
the hash of everything that determines it; a condition that the store has is not computed again.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crane.evaluation import open_questions
from crane.evaluation.engine import Engine, questions
from crane.names import NO_MASK
from crane.neurons.neuron_set import NeuronSet
from crane.parts import PartStore, part_key

Receipt = dict[str, dict[str, str]]
"""Mask language -> name of the prompts -> key of the part."""


@dataclass(frozen=True)
class Prompts:
    """One file of prompts."""

    name: str
    kind: str
    """`choices` (multiple choice), `open` (questions to answer) or `texts` (texts to score)."""
    frame: pd.DataFrame
    settings: Mapping[str, Any]
    """Arguments of `Engine.generate`; empty for the other kinds."""

    @cached_property
    def asked(self) -> list[Any]:
        """The prompts in the form that an engine takes, built once for all masks."""
        if self.kind == "choices":
            return questions(self.frame)
        if self.kind == "open":
            return open_questions.prompts(self.frame)
        return [ids.tolist() for ids in map(np.asarray, self.frame["input_ids"])]

    def digest(self) -> str:
        """Return the SHA-256 of what the model sees: equal prompts have equal digests under any name."""
        digest = hashlib.sha256(self.kind.encode())
        for prompt in self.asked:
            digest.update(repr(prompt).encode())
        return digest.hexdigest()

    def longest(self) -> int:
        """Return the tokens of the longest prompt together with its choice or answer."""
        if self.kind == "texts":
            return int(self.frame["input_ids"].map(len).max())
        longest = int(self.frame["tokens"].max())
        if self.kind == "choices":
            return longest
        return min(longest + self.settings["max_new_tokens"], self.settings["context"])


class MaskSet(NamedTuple):
    """Neurons, an intervention on them, and the prompts to evaluate under it."""

    name: str
    neurons: NeuronSet | None
    """None for the unmasked model."""
    intervention: Mapping[str, Any]
    """Arguments of `Engine.masked`: scale, or values `[K, I]` or `[P, K, I]`; or `changes`, mask language -> change."""
    asked: Sequence[str] | Mapping[str, Sequence[str]]
    """Names of prompts, the same under every mask, or by mask language."""

    def languages(self) -> list[str]:
        """Return the mask languages."""
        if self.neurons is None:
            return [NO_MASK]
        return list(self.intervention.get("changes", self.neurons))

    def asked_under(self, language: str) -> Sequence[str]:
        """Return the names of the prompts of one mask."""
        return self.asked[language] if isinstance(self.asked, Mapping) else self.asked

    def deciding(self, language: str) -> dict[str, Any]:
        """Return what determines the masked model, as JSON values: the neurons, not the name of their set."""
        if self.neurons is None:
            return {}
        if "changes" in self.intervention:
            return {"site": self.neurons.site, **self.intervention["changes"][language].deciding()}
        layers = {str(layer): index.tolist() for layer, index in sorted(self.neurons[language].items())}
        values = self.intervention.get("values")
        how: dict[str, Any] = {"scale": self.intervention.get("scale", 0.0)}
        if values is not None and values.ndim == 3:
            own = [np.ascontiguousarray(values[:, int(layer), index]) for layer, index in layers.items()]
            how = {"values by position": hashlib.sha256(b"".join(one.tobytes() for one in own)).hexdigest()}
        elif values is not None:
            fixed = {layer: values[int(layer), index].tolist() for layer, index in layers.items()}
            how = {"values": hashlib.sha256(repr(fixed).encode()).hexdigest()}
        neurons = hashlib.sha256(repr(layers).encode()).hexdigest()
        return {"neurons": neurons, "site": self.neurons.site, **how}

    def masked(self, engine: Engine, language: str) -> AbstractContextManager[Any]:
        """Return the context in which the engine's model is masked."""
        if self.neurons is None:
            return nullcontext()
        if "changes" in self.intervention:
            return engine.changed(self.intervention["changes"][language], self.neurons.site)
        return engine.masked(self.neurons, language, **self.intervention)


def evaluate(
    mask_sets: Sequence[MaskSet],
    prompts: Mapping[str, Prompts],
    store: PartStore,
    facts: Mapping[str, Any],
    open_engine: Callable[[], Engine],
) -> Iterator[tuple[str, Receipt]]:
    """Evaluate all prompts under all masks and yield the receipt of every mask set as soon as it is complete.

    The engine is opened once, and only if the store lacks a condition. Progress goes to standard output.

    Args:
        mask_sets: in the order in which they are evaluated.
        prompts: by name.
        store: the store of finished parts.
        facts: everything that determines a result besides prompts and mask: model, engine and version, dtype, code.
        open_engine: loads the model.
    """
    digests = {name: asked.digest() for name, asked in prompts.items()}
    engine: Engine | None = None
    total = sum(len(one.asked_under(language)) for one in mask_sets for language in one.languages())
    finished, computed, start = 0, 0, time.monotonic()
    for mask_set in mask_sets:
        receipt: Receipt = {}
        for language in mask_set.languages():
            keys: dict[str, str] = {}
            missing: dict[str, tuple[str, dict[str, Any]]] = {}
            for name in mask_set.asked_under(language):
                deciding = {
                    **facts, **mask_set.deciding(language), "prompts": digests[name],
                    "settings": dict(prompts[name].settings),
                }  # fmt: skip
                keys[name] = part_key(deciding)
                if keys[name] not in missing and keys[name] not in store:
                    missing[keys[name]] = name, deciding
            receipt[language] = keys
            finished += len(keys) - len(missing)
            if not missing:
                continue
            if engine is None:
                engine = open_engine()
                start = time.monotonic()
            with mask_set.masked(engine, language):
                for key, (name, deciding) in missing.items():
                    store.write(key, ask(engine, prompts[name]), deciding)
                    finished, computed = finished + 1, computed + 1
                    seconds = time.monotonic() - start
                    left = seconds / computed * (total - finished)
                    print(
                        f"{mask_set.name}, mask {language}: {name} done; {finished} of {total} conditions, "
                        f"{computed} computed in {seconds:.0f} s, about {left:.0f} s left",
                        flush=True,
                    )
        yield mask_set.name, receipt
    print(f"{total} conditions, {computed} computed, {total - computed} from the store", flush=True)


def ask(engine: Engine, prompts: Prompts) -> pd.DataFrame:
    """Return the model's results for a file of prompts, one row per prompt, in their order.

    Returns:
        `choices`: loglikelihoods (float32 list, one per choice); `open`: output, finish_reason; `texts`:
        log_likelihood.
    """
    if prompts.kind == "choices":
        return pd.DataFrame({"loglikelihoods": list(engine.score(prompts.asked))})
    if prompts.kind == "open":
        answers = engine.generate(prompts.asked, **prompts.settings)
        return pd.DataFrame(answers, columns=["output", "finish_reason"])
    return pd.DataFrame({"log_likelihood": engine.log_likelihoods(prompts.asked)})
