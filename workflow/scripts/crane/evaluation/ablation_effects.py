"""The measured effect of every ablation on every language's loss, from parts that are stored as they are finished."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.evaluation.ablation_losses import AblationLosses
from crane.names import HALVES
from crane.neurons.ablations import Ablation
from crane.parts import PartStore, part_key

PART = 64
"""Ablations of a part: each part passes through the unmasked model once more, and is what a killed job loses."""

Texts = Mapping[str, Sequence[Sequence[int]]]
"""Language -> token numbers of each text."""


def measure(
    ablations: Sequence[Ablation],
    texts: Texts,
    store: PartStore,
    facts: Mapping[str, Any],
    open_losses: Callable[[], AblationLosses],
) -> dict[str, np.ndarray]:
    """Measure every ablation on every text; parts that the store has are not computed again.

    The model is opened once, and only if the store lacks a part. Progress goes to standard output.

    Args:
        ablations: what is zeroed, ordered by layer.
        texts: of every language.
        store: the store of finished parts.
        facts: everything that determines a part besides ablations and texts: model, site, precision, versions, code.
        open_losses: loads the model.

    Returns:
        Language -> float64 `[A, D]`: nats that each text's log-likelihood loses.
    """
    starts = range(0, len(ablations), PART)
    losses: AblationLosses | None = None
    total, finished, computed, start = len(starts) * len(texts), 0, 0, time.monotonic()
    lost = {language: np.zeros((len(ablations), len(of))) for language, of in texts.items()}
    for language, of in texts.items():
        digest = hashlib.sha256(repr([list(map(int, ids)) for ids in of]).encode()).hexdigest()
        for first in starts:
            part = ablations[first : first + PART]
            neurons = [[one.layer, *one.neurons] for one in part]
            deciding = {**facts, "texts": digest, "ablations": neurons}
            key = part_key(deciding)
            if key not in store:
                if losses is None:
                    losses, start = open_losses(), time.monotonic()
                values = losses.lost(part, of)
                store.write(key, pd.DataFrame({"lost": list(values)}), deciding)
                computed += 1
                seconds = time.monotonic() - start
                left = seconds / computed * (total - finished - 1)
                print(
                    f"{language}: {first + len(part)} of {len(ablations)} ablations; {finished + 1} of {total} parts, "
                    f"{computed * PART * 60 / seconds:.0f} ablations a minute, about {left:.0f} s left",
                    flush=True,
                )
            finished += 1
            lost[language][first : first + PART] = np.stack(store.read(key)["lost"].to_numpy())
    print(f"{total} parts, {computed} computed, {total - computed} from the store", flush=True)
    return lost


def effect_table(ablations: Sequence[Ablation], texts: Texts, lost: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the effects in nats per predicted token, all tokens of a language weighing the same.

    Returns:
        One row per ablation and language: kind, unit (its number within the kind), layer, neuron (missing for groups),
        neurons (list of int64), language, documents, tokens (predicted), change (the loss with the neurons zeroed minus
        that without), and change_even and change_odd, the same over the documents of even and of odd number.
    """
    numbers: dict[str, int] = {}
    rows = []
    for place, one in enumerate(ablations):
        unit = numbers[one.kind] = numbers.get(one.kind, -1) + 1
        neuron = one.neurons[0] if one.kind == "neuron" else None
        for language, of in texts.items():
            tokens = np.array([len(ids) - 1 for ids in of])
            mine = lost[language][place]
            halves = {
                f"change_{half}": float(mine[first::2].sum() / tokens[first::2].sum())
                for first, half in enumerate(HALVES)
            }
            rows.append(
                {
                    "kind": one.kind, "unit": unit, "layer": one.layer, "neuron": neuron,
                    "neurons": list(one.neurons), "language": language, "documents": len(of),
                    "tokens": int(tokens.sum()), "change": float(mine.sum() / tokens.sum()), **halves,
                }
            )  # fmt: skip
    return pd.DataFrame(rows).astype({"neuron": "Int64"})
