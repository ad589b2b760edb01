"""Two-word stubs among the documents: samples of equal length choose the same neurons with and without them."""

import numpy as np
import pandas as pd
import pytest
import torch
from crane.corpora.chunks import draw_chunks
from crane.relevance.attribution import attribution
from crane.relevance.moments import Moments
from crane.selection.choose import choose

LANGUAGES = ["en", "ja"]
SETS = {
    "crane": {"method": "crane", "normalise": "layer", "rule": "margin", "budget": {"count": 20}},
    "dispersion": {
        "method": "dispersion", "statistic": "std", "normalise": "none", "rule": "margin", "budget": {"count": 20},
    },
}  # fmt: skip
WORDS = {
    "en": ["Paris", "is", "in", "France", "the", "month", "of"],
    "ja": ["Tokyo", "Japan", "and", "May", "June", "after"],
}
DOCUMENTS, STUBS = 100, ["Hà Nội"]


def documents(language: str) -> list[str]:
    rng = np.random.default_rng([*language.encode()])
    return [" ".join(rng.choice(WORDS[language], 40)) for _ in range(DOCUMENTS)]


def chosen(model, tokenizer, mode, stubs):
    """Return the neurons of every set, from samples of all documents; `stubs` are those of one language."""
    tables = []
    with attribution(model, rules="attnlrp", objective="next_token_logit") as attribute:
        for language in LANGUAGES:
            texts = documents(language) + (stubs if language == "en" else [])
            count = DOCUMENTS if mode == "window" else len(texts)
            settings = {"mode": mode, "tokens": 16, "count": count, "seed": 0, "language": language}
            samples = draw_chunks(lambda texts=texts: iter(texts), tokenizer, **settings).frame["input_ids"]
            by_length = [torch.tensor(list(alike)) for _, alike in samples.groupby(samples.map(len))]
            parts = [attribute(ids, torch.ones_like(ids)) for ids in by_length]
            moments = Moments.from_batch(torch.cat(parts))
            layers, width = moments.mean.shape
            place = pd.MultiIndex.from_product([range(layers), range(width)], names=["layer", "neuron"])
            values = {"kurtosis": moments.kurtosis().flatten(), "std": moments.variance().sqrt().flatten()}
            tables.append(pd.DataFrame(values, index=place).reset_index().assign(language=language))
    table = pd.concat(tables)
    return {name: choose(table, settings, LANGUAGES)[0] for name, settings in SETS.items()}


@pytest.fixture(scope="module")
def model(make_model, tokenizer):
    return make_model("llama", vocabulary=len(tokenizer))


def test_a_hundredth_of_stubs_changes_no_set_of_windows(model, tokenizer):
    assert chosen(model, tokenizer, "window", STUBS) == chosen(model, tokenizer, "window", [])


def test_it_changes_those_of_whole_documents(model, tokenizer):
    with_stubs, without = (chosen(model, tokenizer, "document", stubs) for stubs in (STUBS, []))
    assert with_stubs["crane"] != without["crane"]
