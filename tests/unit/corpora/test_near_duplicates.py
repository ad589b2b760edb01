"""Near-duplicates: against brute force, in scripts with and without spaces, whatever the order of batches."""

import random

import numpy as np
import pytest
from crane.corpora import near_duplicates
from crane.corpora.near_duplicates import NearDuplicates, bands, jaccard, ngrams

WORDS = [
    "river",
    "town",
    "north",
    "seat",
    "county",
    "music",
    "born",
    "1947",
    "album",
    "species",
    "beetle",
    "family",
    "found",
    "coast",
    "film",
]
SIGNS = "江城北州生于年音乐专辑物种甲虫科海岸电影导演大学"


def texts(kind, seed=0):
    """Return 60 unrelated texts and, of each third one, a copy of which some words or characters are replaced."""
    drawn = random.Random(seed)
    alphabet, join = (WORDS, " ") if kind == "words" else (SIGNS, "")
    made = []
    for number in range(60):
        parts = [
            drawn.choice(alphabet) + (f"{drawn.randrange(999)}" if kind == "words" else "") for _ in range(80)
        ]
        made.append(join.join(parts))
        if number % 3 == 0:
            for place in drawn.sample(range(80), number // 6):
                parts[place] = "other" if kind == "words" else "异"
            made.append(join.join(parts))
    return made


def plain_jaccard(one, other):
    sets = [{text[i : i + 5] for i in range(len(text) - 4)} for text in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@pytest.mark.parametrize("kind", ["words", "signs"])
@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.95])
def test_the_same_documents_are_kept_as_by_comparing_every_pair(kind, threshold):
    known = NearDuplicates(threshold, seed=0)
    kept: list[str] = []
    for text in texts(kind):
        alike = any(plain_jaccard(text, other) >= threshold for other in kept)
        assert known.keep(text) != alike
        kept += [] if alike else [text]
    assert 60 <= len(kept) < 80


def test_the_index_of_two_texts_is_that_of_their_sets_of_five_characters():
    one, other = texts("words")[:2]
    assert jaccard(ngrams(one), ngrams(other)) == pytest.approx(plain_jaccard(one, other))
    assert jaccard(ngrams("A  b\nC d e"), ngrams("a b c d E")) == 1
    assert len(ngrams("ab")) == len(ngrams("")) == 1 and jaccard(ngrams("ab"), ngrams("ba")) == 0


def test_long_documents_are_hashed_in_batches(monkeypatch):
    text = texts("words")[0]
    known = NearDuplicates(0.8, seed=1)
    whole = known._signature(ngrams(text))
    monkeypatch.setattr(near_duplicates, "BATCH", 7)
    assert np.array_equal(known._signature(ngrams(text)).hashvalues, whole.hashvalues)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_a_pair_at_the_threshold_becomes_a_candidate(threshold):
    count, rows = bands(threshold)
    assert count * rows <= 128 and 1 - (1 - threshold**rows) ** count >= 0.98
