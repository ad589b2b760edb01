"""Texts about the demo's world: training documents, identification corpus, benchmark, open questions.

Everything follows from the world and the seed. Each kind of text draws from a generator of its own, so that a
longer benchmark changes no training document and no open question.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from crane.demo.world import CHOICES, Fact, World, WorldError

T = TypeVar("T")


@dataclass(frozen=True)
class DataSettings:
    """How much is written, per language."""

    documents: int = 8000
    """Training documents: the first half statements, the second half questions with answers."""
    identification: int = 1500
    """Documents of the identification corpus, all different."""
    benchmark: int = 200
    """Multiple-choice items, one fact each."""
    questions: int = 40
    """Open questions, about facts that the benchmark does not ask."""
    held_out: float = 0.25
    """Share of each relation's facts that this language never has in question form in training."""
    seed: int = 0


def statement(fact: Fact, template: str) -> str:
    """Return the fact as a sentence that begins with a capital letter (where the script has capitals)."""
    text = template.format(subject=fact.subject, object=fact.object)
    return text[0].upper() + text[1:]


def question(fact: Fact, template: str) -> str:
    """Return the question that the fact answers."""
    text = template.format(subject=fact.subject)
    return text[0].upper() + text[1:]


def prompt(question: str) -> str:
    """Return the prompt of a question; a space and the answer follow it."""
    return f"Q: {question}\nA:"


def _generator(world: World, settings: DataSettings, purpose: str) -> Random:
    # A string seed is hashed by SHA-512 inside `random`, the same in every process; hash() is not.
    return Random(f"{purpose}/{world.language}/{settings.seed}")


def _in_common_order(facts: Sequence[Fact], settings: DataSettings, purpose: str) -> list[Fact]:
    """Return facts in an order that depends on their keys alone: the same in every language."""
    return sorted(facts, key=lambda fact: Random(f"{purpose}/{fact.key}/{settings.seed}").random())


def _deck(items: Sequence[T], random: Random) -> Iterator[T]:
    """Yield the items endlessly, in rounds that contain every item once."""
    while True:
        yield from random.sample(items, len(items))


def held_out_keys(world: World, settings: DataSettings) -> frozenset[str]:
    """Return the keys of the facts that stay out of question form, the same share of every relation."""
    random = _generator(world, settings, "held_out")
    by_relation: dict[str, list[str]] = {}
    for fact in world.facts:
        by_relation.setdefault(fact.relation, []).append(fact.key)
    return frozenset(
        key
        for keys in by_relation.values()
        for key in random.sample(keys, round(settings.held_out * len(keys)))
    )


def _statements(world: World, facts: Iterator[Fact], count: int, random: Random) -> str:
    sentences = []
    for _ in range(count):
        fact = next(facts)
        sentences.append(statement(fact, random.choice(world.statements[fact.relation])))
    return world.separator.join(sentences)


def _question_pairs(world: World, facts: Iterator[Fact], count: int, random: Random) -> str:
    pairs = []
    for _ in range(count):
        fact = next(facts)
        asked = question(fact, random.choice(world.questions[fact.relation]))
        pairs.append(f"{prompt(asked)} {fact.object}")
    return "\n".join(pairs)


def training_documents(world: World, settings: DataSettings) -> list[dict[str, str]]:
    """Return `{"text", "kind"}` records: `statements` (3-8 sentences) and `questions` (1-4 pairs)."""
    random = _generator(world, settings, "training")
    held_out = held_out_keys(world, settings)
    told = _deck(world.facts, random)
    asked = _deck([fact for fact in world.facts if fact.key not in held_out], random)
    told_count = settings.documents // 2
    records = [
        {"text": _statements(world, told, random.randint(3, 8), random), "kind": "statements"}
        for _ in range(told_count)
    ]
    records += [
        {"text": _question_pairs(world, asked, random.randint(1, 4), random), "kind": "questions"}
        for _ in range(settings.documents - told_count)
    ]
    return records


def identification_documents(world: World, settings: DataSettings) -> list[dict[str, str]]:
    """Return `{"text"}` records of 1-4 statements, no two alike.

    Raises:
        WorldError: the world is too small for so many different documents.
    """
    random = _generator(world, settings, "identification")
    facts = _deck(world.facts, random)
    texts: dict[str, None] = {}  # a set that keeps the order
    for _ in range(10 * settings.identification):
        if len(texts) == settings.identification:
            break
        texts[_statements(world, facts, random.randint(1, 4), random)] = None
    if len(texts) < settings.identification:
        raise WorldError(
            f"{world.language}: only {len(texts)} of {settings.identification} identification documents are"
            " different; lower `identification`"
        )
    return [{"text": text} for text in texts]


def _asked_facts(world: World, settings: DataSettings) -> tuple[list[Fact], list[Fact]]:
    """Return the facts of the benchmark and those of the open questions, no fact twice.

    They are the two ends of one shuffled list: the number of the one does not change the other. The order is that of
    every language, so that both are parallel: question i is about the same fact in all of them.
    """
    wanted = settings.benchmark + settings.questions
    if wanted > len(world.facts):
        raise WorldError(
            f"{world.language}: `benchmark` + `questions` = {wanted}, but the world has"
            f" {len(world.facts)} facts and asks each at most once"
        )
    shuffled = _in_common_order(world.facts, settings, "asked")
    return shuffled[: settings.benchmark], shuffled[len(shuffled) - settings.questions :]


def benchmark_items(world: World, settings: DataSettings) -> list[dict[str, Any]]:
    """Return multiple-choice records `question, choices, answer, fact, relation, subject, held_out`.

    They are parallel: question i asks for the same fact, with the same choices in the same order, in every language;
    `fact` is its key.
    `answer` is the index of the right choice; `held_out` tells that the training documents of this language
    state the fact but never ask for it.

    Raises:
        WorldError: more items are wanted than the world has facts.
    """
    random = _generator(world, settings, "benchmark")
    held_out = held_out_keys(world, settings)
    items = []
    facts, _ = _asked_facts(world, settings)
    for fact in facts:
        others = [other for other in world.facts if other.relation == fact.relation]
        names = dict.fromkeys(
            [fact.object, *(o.object for o in _in_common_order(others, settings, f"choices/{fact.key}"))]
        )
        choices = list(names)[:CHOICES]
        Random(f"places/{fact.key}/{settings.seed}").shuffle(choices)
        items.append(
            {
                "question": question(fact, random.choice(world.questions[fact.relation])),
                "choices": choices,
                "answer": choices.index(fact.object),
                "fact": fact.key,
                "relation": fact.relation,
                "subject": fact.subject,
                "held_out": fact.key in held_out,
            }
        )
    return items


def open_questions(world: World, settings: DataSettings) -> list[dict[str, str]]:
    """Return `question, reference, relation` records.

    Raises:
        WorldError: more questions are wanted than the world has facts.
    """
    random = _generator(world, settings, "questions")
    _, facts = _asked_facts(world, settings)
    return [
        {
            "question": question(fact, random.choice(world.questions[fact.relation])),
            "reference": fact.object,
            "relation": fact.relation,
        }
        for fact in facts
    ]
