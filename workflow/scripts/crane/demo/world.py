"""The demo's world: real facts, with their names in one language.

Countries, languages, currencies, continents, months and weekdays come from CLDR through Babel; sentences and
all other words come from the language's template file (`resources/demo/<language>.yaml`). A fact's key does
not depend on the language, so that the same fact can be found in each.
"""

import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.languages import get_official_languages
from babel.numbers import get_currency_name, get_territory_currencies

from crane.errors import CraneError

CHOICES = 4
"""Choices of a multiple-choice item: the right one and three others of the same relation."""

LARGEST_ADDEND = 8
"""Sums run from 1 + 1 to 8 + 8."""

CONTINENTS = {
    "Africa": "002",
    "America": "019",
    "Asia": "142",
    "Europe": "150",
    "Australia": "009",
    "Pacific": "009",
}
"""Region of a time zone's name ("Africa/Cairo") -> CLDR (UN M.49) code of the continent."""


class WorldError(CraneError, ValueError):
    """A template file is incomplete or contradicts itself, or its world is too small for the requested texts."""


@dataclass(frozen=True)
class Fact:
    """One fact: `object` is the right answer to every question about `subject` in this relation."""

    relation: str
    key: str
    """Language-independent and unique, such as `capital:FR`."""
    subject: str
    object: str


@dataclass(frozen=True)
class World:
    """All facts and sentence templates of one language."""

    language: str
    separator: str
    """Separator of the sentences in a document."""
    statements: Mapping[str, tuple[str, ...]]
    """Relation -> templates with `{subject}` and `{object}`."""
    questions: Mapping[str, tuple[str, ...]]
    """Relation -> templates with `{subject}`."""
    facts: tuple[Fact, ...]

    def pool(self, relation: str) -> tuple[str, ...]:
        """Return the distinct objects of a relation, sorted; wrong choices are drawn from them."""
        return tuple(sorted({fact.object for fact in self.facts if fact.relation == relation}))


@dataclass(frozen=True)
class _Source:
    """The sources of facts: CLDR's names and the parsed template file of one language."""

    locale: Locale
    relations: Mapping[str, Mapping[str, Any]]
    numbers: list[str]

    @property
    def countries(self) -> dict[str, str]:
        """Territory code -> name, for the countries that have a capital in the template file."""
        return {code: self.locale.territories[code] for code in self.relations["capital"]["objects"]}

    def object_name(self, relation: str, code: str, name: str) -> str:
        """Return CLDR's name, or the template file's replacement for use within a sentence."""
        words = self.relations[relation]
        name = words.get("names", {}).get(code, name)
        return name[0].lower() + name[1:] if words.get("lower") else name


_Triples = Iterator[tuple[str, str, str]]  # key within the relation, subject, object


def _capitals(source: _Source) -> _Triples:
    capitals = source.relations["capital"]["objects"]
    for code, country in source.countries.items():
        yield code, country, capitals[code]


def _languages(source: _Source) -> _Triples:
    for code, country in source.countries.items():
        official = get_official_languages(code, de_facto=True)
        if len(official) == 1:  # a question must have one right answer
            name = source.locale.languages[official[0]]
            yield code, country, source.object_name("language", official[0], name)


def _currencies(source: _Source) -> _Triples:
    for code, country in source.countries.items():
        currency = get_territory_currencies(code)[0]
        name = get_currency_name(currency, count=1, locale=source.locale)  # a count asks for the running form
        yield code, country, source.object_name("currency", currency, name)


def _continents(source: _Source) -> _Triples:
    for code, country in source.countries.items():
        regions = {zone.split("/")[0] for zone in get_global("territory_zones").get(code, [])}
        continents = {CONTINENTS[region] for region in regions if region in CONTINENTS}
        if len(continents) == 1:
            (continent,) = continents
            name = source.locale.territories[continent]
            yield code, country, source.object_name("continent", continent, name)


def _next_of(names: list[str]) -> _Triples:
    """Yield the successor of every name, cyclically."""
    for i, name in enumerate(names):
        yield str(i + 1), name, names[(i + 1) % len(names)]


def _months(source: _Source) -> _Triples:
    months = source.locale.months["format"]["wide"]
    return _next_of([months[i] for i in range(1, 13)])


def _days(source: _Source) -> _Triples:
    days = source.locale.days["format"]["wide"]
    return _next_of([days[i] for i in range(7)])


def _numbers(source: _Source) -> _Triples:
    for i in range(1, len(source.numbers) - 1):
        yield str(i), source.numbers[i], source.numbers[i + 1]


def _sums(source: _Source) -> _Triples:
    template = source.relations["sum"]["subject"]
    for a in range(1, LARGEST_ADDEND + 1):
        for b in range(a, LARGEST_ADDEND + 1):
            subject = template.format(a=source.numbers[a], b=source.numbers[b])
            yield f"{a}+{b}", subject, source.numbers[a + b]


def _opposites(source: _Source) -> _Triples:
    for key, (one, other) in source.relations["opposite"]["pairs"].items():
        yield key, one, other
        yield f"{key}:reverse", other, one


_BUILDERS: dict[str, Callable[[_Source], _Triples]] = {
    "capital": _capitals,
    "language": _languages,
    "currency": _currencies,
    "continent": _continents,
    "next_month": _months,
    "next_day": _days,
    "next_number": _numbers,
    "sum": _sums,
    "opposite": _opposites,
}
"""Relations whose facts follow from CLDR or from a rule."""

_WORD_RELATIONS = ("colour", "legs", "food", "tool", "workplace", "family", "kind", "material")
"""Relations whose facts are listed in the template file under `facts`."""

RELATIONS = (*_BUILDERS, *_WORD_RELATIONS)
"""Every relation that a template file must have."""

_NEEDED = {
    "capital": ("objects",),
    "sum": ("subject",),
    "opposite": ("pairs",),
    **dict.fromkeys(_WORD_RELATIONS, ("facts",)),
}
"""Relation -> keys that it needs in the template file besides `statements` and `questions`."""


def _listed(relation: str) -> Callable[[_Source], _Triples]:
    def build(source: _Source) -> _Triples:
        for key, (subject, obj) in source.relations[relation]["facts"].items():
            yield key, subject, obj

    return build


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def _check_templates(path: Path, data: Any) -> None:
    """Raise WorldError for the first thing that is missing in a template file."""
    for name in ("separator", "numbers", "relations"):
        if not isinstance(data, dict) or name not in data:
            raise WorldError(f"{path}: {name!r} is missing")
    if len(data["numbers"]) <= 2 * LARGEST_ADDEND:
        raise WorldError(f"{path}: 'numbers' must reach {2 * LARGEST_ADDEND}, the largest sum")
    for relation in RELATIONS:
        if relation not in data["relations"]:
            raise WorldError(f"{path}: relation {relation!r} is missing; needed are {', '.join(RELATIONS)}")
        words = data["relations"][relation]
        for name in ("statements", "questions", *_NEEDED.get(relation, ())):
            if not words.get(name):
                raise WorldError(f"{path}: relation {relation!r} has no {name!r}")
        for name, fields in (("statements", {"subject", "object"}), ("questions", {"subject"})):
            for template in words[name]:
                if _fields(template) != fields:
                    wanted = " and ".join(f"{{{field}}}" for field in sorted(fields))
                    raise WorldError(
                        f"{path}: relation {relation!r}: {template!r} in {name!r} must have {wanted}"
                    )


def _check_facts(path: Path, world: World) -> None:
    """Raise WorldError if a question would have two answers or too few wrong choices."""
    answers: dict[tuple[str, str], str] = {}
    for fact in world.facts:
        if answers.setdefault((fact.relation, fact.subject), fact.key) != fact.key:
            raise WorldError(f"{path}: relation {fact.relation!r} has two facts about {fact.subject!r}")
    for relation in RELATIONS:
        if len(world.pool(relation)) < CHOICES:
            raise WorldError(f"{path}: relation {relation!r} has fewer than {CHOICES} different objects")


def read_world(path: str | Path, language: str) -> World:
    """Build the world of one language.

    Args:
        path: the language's template file.
        language: CLDR code of the language, such as `vi`.

    Raises:
        WorldError: CLDR does not know the language, or the file lacks a relation, a template or a word (the
            message names the file and the relation).
    """
    path = Path(path)
    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError) as error:
        raise WorldError(f"{path}: {language!r} is not a language that CLDR knows ({error})") from error
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    _check_templates(path, data)
    source = _Source(locale, data["relations"], data["numbers"])
    world = World(
        language=language,
        separator=data["separator"],
        statements={relation: tuple(source.relations[relation]["statements"]) for relation in RELATIONS},
        questions={relation: tuple(source.relations[relation]["questions"]) for relation in RELATIONS},
        facts=tuple(
            Fact(relation, f"{relation}:{key}", subject, obj)
            for relation in RELATIONS
            for key, subject, obj in _BUILDERS.get(relation, _listed(relation))(source)
        ),
    )
    _check_facts(path, world)
    return world
