"""The demo's world in all its languages, and documents about it."""

import pytest
from crane.demo.texts import training_documents
from crane.demo.world import World, read_world
from support.demo_world import LANGUAGES, SMALL, TEMPLATES


@pytest.fixture(scope="session")
def worlds() -> dict[str, World]:
    """Return the world of each language."""
    return {language: read_world(TEMPLATES / f"{language}.yaml", language) for language in LANGUAGES}


@pytest.fixture(scope="session")
def documents(worlds) -> list[dict[str, str]]:
    """Return the training documents of all languages."""
    return [record for world in worlds.values() for record in training_documents(world, SMALL)]
