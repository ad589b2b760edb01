"""Continuation questions: the beginning of a held-out passage, and its true continuation among three others.

They need no data set, can be made in any language that has texts, and small models can answer them.
"""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from crane.evaluation.prompts import PromptError

CHOICES = 4


def render_continuations(
    passages: pd.DataFrame, *, name: str, context_tokens: int, continuation_tokens: int, seed: int
) -> pd.DataFrame:
    """Return tokenised questions as `crane.evaluation.prompts.render_benchmark` does, one per passage.

    Every choice has the same number of tokens. The wrong ones are the continuations of three other passages of other
    documents; which, and the place of the right one, are drawn with the seed and the passage alone, so that a question
    does not depend on which others there are in what order.

    Args:
        passages: text_sha256 and input_ids of held-out passages of one language, cut to the same length; the last
            `continuation_tokens` of each are its continuation.
        name: of the benchmark; it becomes the task.
        context_tokens: tokens of the beginning, BOS apart.
        continuation_tokens: tokens of every continuation.
        seed: of the draws.

    Raises:
        PromptError: there are fewer than four passages.
    """
    if len(passages) < CHOICES:
        raise PromptError(
            f"benchmark {name!r}: {len(passages)} passages, {CHOICES} are needed for one question"
        )
    ids = np.stack([np.asarray(row, np.int32) for row in passages["input_ids"]])
    contexts, continuations = ids[:, :-continuation_tokens], ids[:, -continuation_tokens:]
    hashes = passages["text_sha256"].tolist()
    rows: list[dict[str, Any]] = []
    for number, digest in enumerate(hashes):
        rng = np.random.default_rng([seed, *bytes.fromhex(digest[:16])])
        wrong = rng.choice(np.delete(np.arange(len(hashes)), number), CHOICES - 1, replace=False)
        target = int(rng.integers(CHOICES))
        order = np.insert(wrong, target, number)
        choices = continuations[order]
        asked = hashlib.sha256(contexts[number].tobytes() + choices.tobytes()).hexdigest()
        rows.append(
            {
                "task": name, "doc_id": number, "doc_hash": asked, "stratum": name, "cluster": f"{name}/{number}",
                "target": [target], "contexts": [contexts[number]], "choices": list(choices), "tokens": ids.shape[1],
            }
        )  # fmt: skip
    frame = pd.DataFrame(rows)
    frame.attrs["dropped"] = 0
    return frame
