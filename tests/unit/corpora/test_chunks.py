"""Documents as samples of tokens, and the samples in shards."""

import hashlib

import pytest
from crane.corpora.chunks import draw_chunks
from crane.corpora.documents import CorpusError
from crane.corpora.sampling import sample

TEXTS = [
    (f"Paris is in France and Tokyo in Japan, the {number}th said. " * 3).strip() for number in range(60)
]
STUBS = [f"Hà Nội {number}" for number in range(6)]


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def draw(texts, tokenizer, **settings):
    asked = {"mode": "window", "tokens": 16, "count": 20, "seed": 3, "language": "en"} | settings
    return draw_chunks(lambda: iter(texts), tokenizer, **asked)


def contains(whole, part):
    return any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


@pytest.mark.parametrize("mode", ["window", "pack"])
def test_samples_have_exactly_that_many_tokens_and_begin_with_bos(tokenizer, mode):
    frame = draw([*TEXTS, *STUBS], tokenizer, mode=mode).frame
    assert list(frame) == ["sample_id", "text_sha256", "documents", "input_ids"]
    assert frame["sample_id"].tolist() == list(range(20))
    assert frame["input_ids"].map(len).tolist() == [16] * 20
    assert {ids[0] for ids in frame["input_ids"]} == {tokenizer.bos_token_id}


def test_a_window_lies_at_a_random_place_of_its_document_and_stubs_are_counted(tokenizer):
    chunks = draw([*TEXTS, *STUBS], tokenizer, count=60)
    by_hash = {sha(text): tokenizer(text, add_special_tokens=False).input_ids for text in TEXTS}
    starts = set()
    for digest, ids in zip(chunks.frame["text_sha256"], chunks.frame["input_ids"], strict=True):
        assert contains(by_hash[digest], ids[1:])
        starts.add(next(i for i in range(100) if by_hash[digest][i : i + 15] == ids[1:]))
    assert chunks.frame["text_sha256"].is_unique and len(starts) > 10
    assert chunks.short == len(STUBS)


def test_a_document_of_exactly_that_length_is_taken_and_one_below_is_not(tokenizer):
    text = TEXTS[0]
    size = len(tokenizer(text, add_special_tokens=False).input_ids)
    frame = draw([text], tokenizer, tokens=size + 1, count=1).frame
    assert frame["input_ids"][0][1:] == tokenizer(text, add_special_tokens=False).input_ids
    with pytest.raises(CorpusError, match="1 documents, 1 of them with too few tokens"):
        draw([text], tokenizer, tokens=size + 2, count=1)


def test_a_window_depends_on_its_document_and_the_seed_alone(tokenizer):
    few = draw(TEXTS[:30], tokenizer, count=10).frame.set_index("text_sha256")["input_ids"]
    many = draw(TEXTS, tokenizer, count=60).frame.set_index("text_sha256")["input_ids"]
    assert few.to_dict() == many[few.index].to_dict()
    other = draw(TEXTS, tokenizer, count=60, seed=4).frame.set_index("text_sha256")["input_ids"]
    assert (many != other[many.index]).sum() > 40


def test_packed_documents_follow_each_other_with_the_end_token_between(tokenizer):
    chunks = draw(TEXTS, tokenizer, mode="pack", count=30, tokens=18)
    order = sample(iter(TEXTS), 60, 3).texts
    stream = []
    for text in order:
        stream += ([tokenizer.eos_token_id] if stream else []) + tokenizer(
            text, add_special_tokens=False
        ).input_ids
    joined = [token for ids in chunks.frame["input_ids"] for token in ids[1:]]
    assert joined == stream[: len(joined)]
    assert chunks.frame["documents"][0][0] == sha(order[0])
    assert any(len(documents) > 1 for documents in chunks.frame["documents"])


def test_every_document_of_a_packed_sample_is_named(tokenizer):
    frame = draw(STUBS, tokenizer, mode="pack", tokens=24, count=1).frame
    assert len(frame["documents"][0]) >= 3
    assert set(frame["documents"][0]) <= {sha(text) for text in STUBS}


def test_documents_are_cut_to_at_most_that_many_tokens(tokenizer):
    frame = draw([*TEXTS, *STUBS], tokenizer, mode="document", count=60).frame
    by_hash = {sha(text): tokenizer(text).input_ids[:16] for text in [*TEXTS, *STUBS]}
    for digest, ids in zip(frame["text_sha256"], frame["input_ids"], strict=True):
        assert ids == by_hash[digest]
    assert frame["input_ids"].map(len).min() < 16


def test_documents_that_are_used_elsewhere_are_left_out(tokenizer):
    used = draw(TEXTS, tokenizer, mode="pack", count=40).frame
    names = {digest for row in used["documents"] for digest in row}
    rest = draw(TEXTS, tokenizer, mode="document", count=60 - len(names), without=names).frame
    assert {sha(text) for text in TEXTS} - names == set(rest["text_sha256"])


def test_held_out_documents_do_not_depend_on_how_many_are_asked_for(tokenizer):
    names = set(draw(TEXTS, tokenizer, count=10).frame["text_sha256"])
    ten = draw(TEXTS, tokenizer, mode="document", count=10, without=names).frame
    twenty = draw(TEXTS, tokenizer, mode="document", count=20, without=names).frame
    assert twenty["text_sha256"].tolist()[:10] == ten["text_sha256"].tolist()


def test_more_documents_are_read_where_most_are_too_short(tokenizer):
    reads = []

    def read():
        reads.append(1)
        return iter([*TEXTS[:20], *(f"Hà Nội {number}" for number in range(400))])

    frame = draw_chunks(read, tokenizer, mode="window", tokens=16, count=20, seed=0, language="vi").frame
    assert len(frame) == 20 and len(reads) > 2


@pytest.mark.parametrize("mode", ["window", "pack", "document"])
def test_too_few_documents_say_how_many_and_what_to_do(tokenizer, mode):
    with pytest.raises(CorpusError) as raised:
        draw(TEXTS[:4], tokenizer, mode=mode, tokens=30, count=50, language="vi")
    text = str(raised.value)
    assert (
        text.startswith("corpus of 'vi': 4 documents")
        and f"samples of 30 tokens ({mode}), 50 are asked for" in text
    )
    assert ("corpora.sample: pack" in text) == (mode == "window")


class WithoutBos:
    """A tokenizer whose texts begin at once, as Qwen's do."""

    bos_token_id, eos_token_id = None, 1

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer

    def __call__(self, text, **settings):
        return self._tokenizer(text, **settings)

    def __getattr__(self, name):
        return getattr(self._tokenizer, name)


def test_a_tokenizer_without_bos_gives_whole_samples(tokenizer):
    frame = draw(TEXTS, WithoutBos(tokenizer), count=5).frame
    assert frame["input_ids"].map(len).tolist() == [16] * 5


@pytest.mark.parametrize("mode", ["document", "window", "pack"])
def test_special_tokens_that_a_text_writes_are_text_and_counted(tokenizer, mode):
    end = tokenizer.eos_token
    texts = [f"{number}: month after {end}{tokenizer.bos_token} March {end} is April" for number in range(8)]
    chunks = draw_chunks(lambda: texts, tokenizer, mode=mode, tokens=16, count=4, seed=0, language="en")
    assert chunks.special == 4 if mode != "pack" else chunks.special >= 2
    for ids in chunks.frame["input_ids"]:
        assert list(ids).count(tokenizer.bos_token_id) == 1
        assert mode == "pack" or tokenizer.eos_token_id not in list(ids)


TEMPLATE = (
    "{} is a small town in the north of Japan and has {} people who live near the river and work in May"
)
SIMILAR = [TEMPLATE.format(name, number) for number, name in enumerate(["Tokyo", "Hanoi", "Paris", "France"])]
UNLIKE = [
    " ".join([word, *["March", "April", "May", "June"]] * 4) for word in ["Paris", "Tokyo", "France", "Japan"]
]


@pytest.mark.parametrize("mode", ["window", "pack", "document"])
def test_near_duplicates_are_left_out_and_counted_whatever_the_mode(tokenizer, mode):
    settings = {"mode": mode, "tokens": 8, "near_duplicates": 0.7}
    with pytest.raises(
        CorpusError, match=r"4 documents, 3 of them near-duplicates of others.*near_duplicates keeps"
    ):
        draw(SIMILAR, tokenizer, count=99, **settings)
    texts = [*SIMILAR, *UNLIKE]
    samples = len(draw(texts, tokenizer, mode="document", tokens=999, count=5, near_duplicates=0.7).frame)
    chunks = draw(texts, tokenizer, count=samples if mode != "pack" else 40, **settings)
    names = [digest for row in chunks.frame["documents"] for digest in row]
    order = [sha(text) for text in sample(iter(texts), 8, 3).texts]
    passed = set(order[: order.index(names[-1])]) & set(map(sha, SIMILAR))
    assert len(set(names) & set(map(sha, SIMILAR))) == 1
    assert chunks.near_duplicate == len(passed - set(names)) > 0
    assert draw(texts, tokenizer, mode=mode, tokens=8, count=5, near_duplicates=0.99).near_duplicate == 0


def test_what_is_kept_does_not_depend_on_how_many_documents_are_needed(tokenizer):
    few = draw([*SIMILAR, *UNLIKE], tokenizer, tokens=8, count=2, near_duplicates=0.7).frame
    many = draw([*SIMILAR, *UNLIKE], tokenizer, tokens=8, count=5, near_duplicates=0.7).frame
    assert many["text_sha256"][:2].tolist() == few["text_sha256"].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_held_out_documents_resemble_none_of_the_sample_whatever_the_order(tokenizer, seed):
    settings = {"mode": "document", "tokens": 16, "without": {sha(SIMILAR[2])}, "seed": seed}
    held_out = draw([*SIMILAR, *UNLIKE], tokenizer, count=4, near_duplicates=0.7, **settings)
    assert set(held_out.frame["text_sha256"]) == set(map(sha, UNLIKE))
    assert draw([*SIMILAR, *UNLIKE], tokenizer, count=7, **settings).near_duplicate == 0


@pytest.mark.parametrize("mode", ["window", "pack", "document"])
def test_the_lengths_of_documents_are_those_before_they_are_cut(tokenizer, mode):
    count = 40 if mode == "pack" else 60
    chunks = draw(TEXTS, tokenizer, mode=mode, count=count, tokens=12)
    sizes = {len(tokenizer(text, add_special_tokens=False).input_ids) for text in TEXTS}
    assert set(chunks.document_tokens) <= sizes and min(chunks.document_tokens) > 12
    assert chunks.longer == (0 if mode == "pack" else 60)
    assert chunks.characters == sum(
        len(text) for text in sample(iter(TEXTS), 60, 3).texts[: len(chunks.document_tokens)]
    )
