"""Documents on which no relevance was measured: those behind the relevance sample in the same order."""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from crane.corpora.chunks import tokenise
from crane.corpora.documents import CorpusError


def held_out(
    texts: Sequence[str], tokenizer: Any, max_tokens: int, count: int, used: Collection[str], language: str
) -> pd.DataFrame:
    """Return `count` samples of documents that are not among those used, in the order of `texts`.

    Args:
        texts: of `crane.corpora.sampling.sample`, at least `len(used) + count`, with the seed of the relevance sample.
        tokenizer: of the model that reads them.
        max_tokens: longest sample.
        count: documents wanted.
        used: `text_sha256` of the relevance sample.
        language: for messages.

    Returns:
        sample_id, text_sha256, input_ids, as in `crane.corpora.chunks.tokenise`.

    Raises:
        CorpusError: too few documents.
    """
    try:
        frame = tokenise(texts, tokenizer, max_tokens, len(used) + count, language)
    except CorpusError as error:
        raise CorpusError(
            f"held-out documents of {language!r}: perplexity.documents asks for {count} beside the {len(used)} of "
            f"the relevance sample; lower one of them or add documents ({error})"
        ) from error
    left = frame[~frame["text_sha256"].isin(set(used))].head(count).reset_index(drop=True)
    return left.assign(sample_id=range(len(left)))
