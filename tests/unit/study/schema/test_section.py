"""Sections of the configuration take no unknown keys, no other types, and repeat no value in an error."""

from collections.abc import Iterator

from crane.study.schema.root import StudyConfig
from crane.study.schema.section import Section


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    for inner in section.__subclasses__():
        yield inner
        yield from _sections(inner)


def test_every_section_is_closed_and_strict() -> None:
    sections = list(_sections(Section))
    assert len(sections) > 40 and StudyConfig in sections
    for section in sections:
        assert section.model_config["extra"] == "forbid" and section.model_config["strict"], section
        assert section.model_config["hide_input_in_errors"], section
