"""Benchmark questions as tokenised prompts, rendered once per model: those that lm-evaluation-harness would send.

lm-eval defines the tasks and builds the texts, here and nowhere else. Every mask then gets the same prompts, and the
jobs that run the model need neither lm-eval nor a data set.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from crane.errors import CraneError

OVERLONG = ("refuse", "drop")
FEWSHOT_SEED = 0
"""Seed of the few-shot examples that lm-eval draws."""


class PromptError(CraneError, ValueError):
    """A question cannot be asked."""


def render_benchmark(
    name: str, tasks: Mapping[str, Any], settings: Mapping[str, Any], tokenizer: Any, limit: int | None
) -> pd.DataFrame:
    """Return the tokenised questions of a benchmark, one row per question.

    Context and choices are split and tokenised as lm-eval 0.4.13 does for a causal model with BOS added
    (`TemplateLM.loglikelihood`). Few-shot examples that lm-eval draws are drawn once, with `FEWSHOT_SEED`.

    Args:
        name: name of the benchmark, for messages.
        tasks: from `crane.evaluation.benchmarks.load`.
        settings: `stratify_by`, `cluster_by`: optional fields of a question for the bootstrap; `overlong`: `refuse`
            (default) or `drop` questions longer than the model can read.
        tokenizer: the model's; prepends BOS to texts if it has one.
        limit: tokens that the model can read; None if it has no limit.

    Returns:
        task, doc_id, doc_hash (lm-eval's), stratum, cluster, target (list of the right choices' numbers), contexts
        (lists of int32: one for all choices, or one each), choices (lists of int32), tokens (of the longest choice
        with its context). `attrs["dropped"]` counts the questions left out.

    Raises:
        PromptError: a task is not multiple choice, a question is too long, or a prompt lacks BOS.
    """
    from lm_eval.utils import handle_non_serializable, hash_string

    encoder = _encoder(tokenizer)
    rows: list[dict[str, Any]] = []
    dropped = 0
    for task_name, task in tasks["tasks"].items():
        if task.OUTPUT_TYPE != "multiple_choice":
            raise PromptError(
                f"benchmark {name!r}, task {task_name!r}: {task.OUTPUT_TYPE} is not supported, only multiple_choice is"
            )
        task.set_fewshot_seed(FEWSHOT_SEED)
        with _compiled_templates():
            requests = [(doc_id, doc, _requests(task, doc_id, doc)) for doc_id, doc in _documents(task)]
        encoder.prepare([pair for *_, asked in requests for pair in asked])
        for doc_id, doc, asked in requests:
            choices = len(task.doc_to_choice(doc))
            pairs = encoder.pairs(asked)[:choices]  # the unconditional requests of some metrics follow
            contexts, continuations = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            _check_bos(name, task_name, doc_id, contexts, tokenizer)
            tokens = max(len(context) + len(choice) for context, choice in pairs)
            if limit is not None and tokens > limit:
                if settings.get("overlong", "refuse") == "refuse":
                    raise PromptError(
                        f"benchmark {name!r}, task {task_name!r}, question {doc_id}: {tokens} tokens, the model can "
                        f"read {limit}; lower fewshot, or set overlong: drop to leave such questions out"
                    )
                dropped += 1
                continue
            shared = all(context == contexts[0] for context in contexts)
            text = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
            rows.append(
                {
                    "task": task_name,
                    "doc_id": doc_id,
                    "doc_hash": hash_string(text),
                    "stratum": str(doc[settings["stratify_by"]])
                    if settings.get("stratify_by")
                    else task_name,
                    "cluster": str(doc[settings["cluster_by"]])
                    if settings.get("cluster_by")
                    else f"{task_name}/{doc_id}",
                    "target": _targets(task, doc),
                    "contexts": [np.array(c, np.int32) for c in (contexts[:1] if shared else contexts)],
                    "choices": [np.array(choice, np.int32) for choice in continuations],
                    "tokens": tokens,
                }
            )
    if not rows:
        raise PromptError(
            f"benchmark {name!r}: no question is short enough for the {limit} tokens of the model"
        )
    frame = pd.DataFrame(rows)
    frame.attrs["dropped"] = dropped
    return frame


def _documents(task: Any) -> Iterator[tuple[int, Any]]:
    return task.doc_iterator(rank=0, limit=None, world_size=1)


def _requests(task: Any, doc_id: int, doc: Any) -> list[tuple[str, str]]:
    """Return (context, continuation) of every request that lm-eval makes of a question."""
    context = task.fewshot_context(
        doc, num_fewshot=task.config.num_fewshot or 0, gen_prefix=task.doc_to_prefix(doc)
    )
    made = task.construct_requests(doc=doc, ctx=context, metadata=(task.config["task"], doc_id, 1))
    return [request.args for request in (made if isinstance(made, list) else [made])]


def _targets(task: Any, doc: Any) -> list[int]:
    """Return the numbers of the right choices, as lm-eval's accuracy takes them."""
    target = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    if isinstance(target, list):
        return [int(one) for one in target]
    return [task.doc_to_choice(doc).index(target) if isinstance(target, str) else int(target)]


def _check_bos(name: str, task: str, doc_id: int, contexts: Sequence[Sequence[int]], tokenizer: Any) -> None:
    bos = tokenizer.bos_token_id
    if bos is not None and any(context[:1] != [bos] for context in contexts):
        raise PromptError(
            f"benchmark {name!r}, task {task!r}, question {doc_id}: the prompt does not begin with BOS ({bos})"
        )


@contextmanager
def _compiled_templates() -> Iterator[None]:
    """Cache lm-eval's compiled Jinja templates, which it compiles again for every question and example."""
    from lm_eval import utils

    original = utils.env.from_string
    utils.env.from_string = lru_cache(maxsize=None)(original)
    try:
        yield
    finally:
        utils.env.from_string = original


def _encoder(tokenizer: Any) -> Any:
    """Return lm-eval's model interface reduced to its tokenisation; its results are the tokens themselves."""
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import TemplateLM

    bos = tokenizer.bos_token_id
    prefix = tokenizer.eos_token_id if bos is None else bos

    class Encoder(TemplateLM):
        backend = "causal"
        eot_token_id = tokenizer.eos_token_id
        prefix_token_id = prefix

        def __init__(self) -> None:
            super().__init__()
            self._known: dict[str, list[int]] = {}

        def prepare(self, asked: list[tuple[str, str]]) -> None:
            """Tokenise the texts of (context, continuation) pairs together, each once."""
            texts = {context.rstrip() for context, _ in asked} | {"".join(pair) for pair in asked}
            plain = sorted(text for text in texts if text and not self._has_bos(text))
            self._known = dict(zip(plain, self._encode(plain, bos is not None), strict=True)) if plain else {}

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
            if add_special_tokens is None:
                if string in self._known:
                    return self._known[string]
                add_special_tokens = bos is not None and not self._has_bos(string)
            return self._encode([string], add_special_tokens)[0]

        def _has_bos(self, string: str) -> bool:
            return string.startswith(tokenizer.decode(prefix))

        def _encode(self, strings: list[str], add_special_tokens: bool) -> list[list[int]]:
            return tokenizer(strings, add_special_tokens=add_special_tokens).input_ids

        def pairs(self, asked: list[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
            """Return the tokens of (context, continuation) pairs."""
            made = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(asked)]
            return self.loglikelihood(made, disable_tqdm=True)

        def _loglikelihood_tokens(self, requests: list[Any], **kwargs: Any) -> list[Any]:
            return [(context, continuation) for _, context, continuation in requests]

        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
            raise NotImplementedError

        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            raise NotImplementedError

    return Encoder()
