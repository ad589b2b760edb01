"""What steering does: the languages of the answers, the shift of known answers, and what it costs in perplexity."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from crane.artefacts import ArtefactError
from crane.names import NO_MASK, ORIGINAL

KINDS = ("target", "asked", "other", "undecided")
"""What the language of an answer can be."""


def language_kind(language: str | None, asked: str, target: str) -> str:
    """Return which of `KINDS` an answer is; None is an answer whose language cannot be told."""
    if language is None:
        return "undecided"
    return {target: "target", asked: "asked"}.get(language, "other")


def summarise(
    answers: pd.DataFrame,
    known: pd.DataFrame,
    texts: pd.DataFrame,
    pairs: Sequence[Sequence[str]],
    identify: Callable[[str, str], str | None],
) -> pd.DataFrame:
    """Return one row per mask set (the unmasked model first) and pair of languages.

    Args:
        answers, known, texts: of all mask sets and of the unmasked model, with the columns of
            `crane.evaluation.steered.COLUMNS`.
        pairs: languages asked in and targets.
        identify: (answer, language asked in) -> its language, None if it cannot be told
            (`crane.judging.answer_language`).

    Returns:
        mask_set, asked, target; `n` answers and the shares of `KINDS` among them (`target_share` and so on, which sum
        to 1), `target_low` and `target_high` (95% Wilson interval); `known` answers and `shift_share`, the share of
        them whose log P(answer in the target) - log P(answer in the language asked in) is larger than without
        steering, with `shift_low` and `shift_high`, and `shift`, the mean difference (nats); this is LSS (Rahmanisa et
        al., arXiv 2507.22581; code tauimbz/lang-task-neuron, c59e5dc); `target_loss`, `asked_loss` and `other_loss`:
        change of the loss (nats per token) of texts in these languages, the mean over the others. NaN where nothing was
        measured.

    Raises:
        ArtefactError: a question or text lacks its result without steering.
    """
    kinds = answers.assign(
        language=[
            identify(text, asked) for text, asked in zip(answers["output"], answers["asked"], strict=True)
        ]
    )
    rows = []
    for mask_set in dict.fromkeys([ORIGINAL, *answers["mask_set"]]):
        for asked, target in pairs:
            own = (asked, target if mask_set != ORIGINAL else NO_MASK)
            here = _of(kinds, mask_set, *own)
            if here.empty:
                raise ArtefactError(f"{mask_set}: no answers steered from {asked} to {target}")
            row: dict[str, Any] = {"mask_set": mask_set, "asked": asked, "target": target, "n": len(here)}
            found = [language_kind(language, asked, target) for language in here["language"]]
            row |= {f"{kind}_share": found.count(kind) / len(found) for kind in KINDS}
            row |= dict(_interval("target", found.count("target"), len(found)))
            row |= _shifted(known, mask_set, asked, target) if mask_set != ORIGINAL else _UNSHIFTED
            row |= _losses(texts, mask_set, asked, target)
            rows.append(row)
    return pd.DataFrame(rows)


def _of(frame: pd.DataFrame, mask_set: str, asked: str, target: str) -> pd.DataFrame:
    return frame[(frame["mask_set"] == mask_set) & (frame["asked"] == asked) & (frame["target"] == target)]


def _interval(name: str, count: int, of: int) -> Iterator[tuple[str, float]]:
    low, high = binomtest(count, of).proportion_ci(0.95, "wilson")
    yield f"{name}_low", float(low)
    yield f"{name}_high", float(high)


_UNSHIFTED = {
    "known": 0, "shift_share": np.nan, "shift_low": np.nan, "shift_high": np.nan, "shift": np.nan,
}  # fmt: skip


def _shifted(known: pd.DataFrame, mask_set: str, asked: str, target: str) -> Mapping[str, float]:
    """Return the share of known answers that the steering moves towards the target."""
    steered = _of(known, mask_set, asked, target).set_index("question_id")
    if steered.empty:
        return _UNSHIFTED
    before = _of(known, ORIGINAL, asked, target).set_index("question_id").reindex(steered.index)
    if before["in_target"].isna().any():
        raise ArtefactError(f"known answers, {asked} to {target}: none without steering")
    towards = (steered["in_target"] - steered["in_asked"]) - (before["in_target"] - before["in_asked"])
    more, count = int((towards > 0).sum()), len(towards)
    return {
        "known": count, "shift_share": more / count, **dict(_interval("shift", more, count)),
        "shift": float(towards.mean()),
    }  # fmt: skip


def _losses(texts: pd.DataFrame, mask_set: str, asked: str, target: str) -> dict[str, float]:
    """Return what texts lose, in nats per token over all texts of a language together."""
    if mask_set == ORIGINAL:
        here = texts[texts["mask_set"] == ORIGINAL]
    else:
        here = _of(texts, mask_set, asked, target)
    plain = texts[texts["mask_set"] == ORIGINAL].set_index(["language", "sample_id"])["log_likelihood"]
    lost = {}
    for language, rows in here.groupby("language"):
        before = plain.reindex(pd.MultiIndex.from_frame(rows[["language", "sample_id"]]))
        if before.isna().any():
            raise ArtefactError(f"texts in {language!r}: none without steering")
        lost[language] = float((before.to_numpy() - rows["log_likelihood"]).sum() / rows["tokens"].sum())
    others = [loss for language, loss in lost.items() if language not in (asked, target)]
    return {
        "target_loss": lost.get(target, np.nan),
        "asked_loss": lost.get(asked, np.nan),
        "other_loss": float(np.mean(others)) if others else np.nan,
    }
