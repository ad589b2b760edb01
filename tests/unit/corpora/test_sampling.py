"""The sample depends on the texts and the seed only."""

import tracemalloc

from crane.corpora.sampling import sample
from hypothesis import given, settings
from hypothesis import strategies as st


@given(parts=st.lists(st.lists(st.integers(0, 60), max_size=30), max_size=5), count=st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_samples_of_parts_merge_into_the_sample_of_the_whole(parts, count):
    documents = [[f"document {i}" for i in part] for part in parts]
    whole = sample((text for part in documents for text in part), count, 3).texts
    assert (
        sample((text for part in documents for text in sample(part, count, 3).texts), count, 3).texts == whole
    )


def test_empty_and_duplicate_documents_are_left_out_and_counted():
    documents = ["one", " one\n", "", "  \t", None, "two", "one"]
    found = sample(iter(documents), 10, seed=0)
    assert sorted(found.texts) == ["one", "two"]
    assert (found.read, found.empty, found.duplicate) == (7, 3, 2)


@given(count=st.integers(1, 40), seed=st.integers(0, 5), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_sample_depends_neither_on_order_nor_on_repetition(count, seed, shuffle):
    documents = [f"document {i}" for i in range(30)]
    expected = sample(iter(documents), count, seed)
    assert len(expected.texts) == len(set(expected.texts)) == min(count, 30)
    assert set(expected.texts) <= set(documents)
    repetitions = shuffle.choices(documents, k=20)
    again = documents + repetitions
    shuffle.shuffle(again)
    found = sample(iter(again), count, seed)
    assert found.texts == expected.texts
    assert (found.read, found.duplicate) == (50, sum(text in expected.texts for text in repetitions))


def test_memory_does_not_grow_with_what_is_read():
    def peak(documents):
        tracemalloc.start()
        sample((f"document {i}" for i in range(documents)), 20, 0)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(100_000) < 1.5 * peak(1_000)


def test_seeds_give_different_samples_and_smaller_ones_are_prefixes():
    documents = [f"document {i}" for i in range(200)]
    samples = {tuple(sample(iter(documents), 20, seed).texts) for seed in range(10)}
    assert len(samples) == 10
    assert sample(iter(documents), 5, 0).texts == sample(iter(documents), 20, 0).texts[:5]


def test_every_document_is_as_likely():
    documents = [f"document {i}" for i in range(20)]
    hits = dict.fromkeys(documents, 0)
    for seed in range(400):
        for text in sample(iter(documents), 5, seed).texts:
            hits[text] += 1
    assert sum((n - 100) ** 2 / 100 for n in hits.values()) < 60  # chi-square of 19 degrees; seeds are fixed
