"""The check of a configuration: one line per error, all errors at once."""

from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crane.errors import CraneError
from crane.study.schema.messages import lines, type_name
from crane.study.schema.root import StudyConfig
from crane.study.yaml_files import surprises


class ConfigError(CraneError, ValueError):
    """The configuration is wrong; one line per error."""


NULL_IS_A_VALUE = ("key_variable",)
"""Keys whose null means something: a judge's endpoint that needs no API key."""


def drop_nulls(config: MutableMapping[str, Any]) -> None:
    """Remove the keys whose value is null, in place and at every depth, except those of `NULL_IS_A_VALUE`.

    An overlay can replace a key of the file below it and, with `key: null`, remove it.
    """
    for key, value in list(config.items()):
        if value is None and key not in NULL_IS_A_VALUE:
            del config[key]
        elif isinstance(value, MutableMapping):
            drop_nulls(value)


def check_files(files: Iterable[str | Path]) -> None:
    """Check what only the text of configurations and profiles shows (`crane.study.yaml_files`).

    Raises:
        ConfigError: with one line per key that is given twice and per value that YAML reads otherwise than written.
    """
    errors = [line for file in files for line in surprises(file)]
    if errors:
        raise ConfigError("the configuration is wrong:\n" + "\n".join(f"  {line}" for line in errors))


def check(config: Mapping[str, Any]) -> StudyConfig:
    """Check a configuration: first every key, then, if all are valid, that they do not contradict each other.

    The rules' params come from the mapping as the user wrote it, not from the returned models: a new optional key with
    a default must not rerun the studies that do not use it.

    Returns:
        The configuration as pydantic models.

    Raises:
        ConfigError: with one line per error: the key, its value, and what is allowed.
    """
    if not isinstance(config, Mapping):
        errors = [f"(top level): expected keys and values, found {type_name(config)}"]
    else:
        try:
            return StudyConfig.model_validate(dict(config))
        except ValidationError as error:
            errors = lines(error, StudyConfig)
    # Raised outside of the handler: pydantic's error holds the values, some of which may be secrets.
    raise ConfigError("the configuration is wrong:\n" + "\n".join(f"  {line}" for line in errors))
