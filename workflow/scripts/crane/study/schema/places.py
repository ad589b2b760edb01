"""Where an error is: from pydantic's location to the key in the file and the section that defines it."""

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import Tag
from pydantic.fields import FieldInfo

from crane.study.schema.section import Section

DISCRIMINATORS = ("method", "kind", "source")
"""Keys whose value decides which other keys a section has."""
KEY = "[key]"
"""Pydantic's mark, at the end of a location, of an error in the name itself."""


class Place(NamedTuple):
    """The place of an error in a configuration."""

    path: tuple[str, ...]
    """Keys and list indices from the top of the file."""
    type: Any
    """The expected type; None for an unknown key."""
    description: str = ""
    """Description of the key, or of the nearest key above it that has one."""
    name_description: str = ""
    """Description of the names of the mapping that the key is in."""
    section: type[Section] | None = None
    """The innermost section around the key."""
    tag: str = ""
    """Value of that section's discriminator, "" if it has none."""
    alternatives: dict[str, type[Section]] = {}  # noqa: RUF012
    """All sections allowed in its place, by the value of the discriminator."""


def locate(root: type[Section], location: Sequence[str | int]) -> Place:
    """Return the place of an error from pydantic's location, without the tags of unions.

    Args:
        root: the model that was validated.
        location: `loc` of one of `ValidationError.errors()`.
    """
    place = Place((), root)
    for part in location:
        if part != KEY:
            place = _into(place, part)
    return place


def choices(expected: Any) -> dict[str, Any]:
    """Return the members of a tagged union by their tags; nothing for other types."""
    if get_origin(expected) not in (Union, UnionType):
        return {}
    return {tag: _bare(member) for member in get_args(expected) for tag in _tags(member)}


def _into(place: Place, part: str | int) -> Place:
    """Return the place one step of a location further."""
    members = choices(place.type)
    if part in members:
        chosen = members[str(part)]
        sections = {tag: member for tag, member in members.items() if _is_section(member)}
        if len(sections) < len(members):  # a string or a section: no discriminator in the file
            return place._replace(type=chosen, tag="", alternatives={})
        return place._replace(type=chosen, tag=str(part), alternatives=sections)
    path = (*place.path, str(part))
    if _is_section(place.type):
        field = place.type.model_fields.get(str(part))
        tagged = place.type in place.alternatives.values()
        return Place(
            path,
            _bare(field.annotation) if field else None,
            (field.description if field else None) or place.description,
            section=place.type,
            tag=place.tag if tagged else "",
            alternatives=place.alternatives if tagged else {},
        )
    arguments = get_args(place.type)  # of a mapping: names and values; of a list: items
    names = _description(arguments[0]) if len(arguments) > 1 else ""
    return place._replace(path=path, type=_bare(arguments[-1]) if arguments else None, name_description=names)


def _is_section(expected: Any) -> bool:
    return isinstance(expected, type) and issubclass(expected, Section)


def _bare(expected: Any) -> Any:
    """Return a type without its annotations and without None."""
    if get_origin(expected) is Annotated:
        return _bare(get_args(expected)[0])
    if get_origin(expected) in (Union, UnionType):
        members = [member for member in get_args(expected) if member is not type(None)]
        return _bare(members[0]) if len(members) == 1 else expected
    return expected


def _tags(member: Any) -> list[str]:
    """Return the tags of a union's member: one that is given, or the values of its discriminator."""
    given = [mark.tag for mark in getattr(member, "__metadata__", ()) if isinstance(mark, Tag)]
    fields = getattr(member, "model_fields", {})
    return given or [
        tag for key in DISCRIMINATORS if key in fields for tag in get_args(fields[key].annotation)
    ]


def _description(expected: Any) -> str:
    """Return the description in a type's annotations."""
    fields = [item for item in getattr(expected, "__metadata__", ()) if isinstance(item, FieldInfo)]
    return next((field.description for field in fields if field.description), "")
