"""The check of a configuration: one line per error, all errors at once."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from pydantic import ValidationError

from crane.errors import CraneError
from crane.study.schema.messages import lines, type_name
from crane.study.schema.root import StudyConfig


class ConfigError(CraneError, ValueError):
    """The configuration is wrong; one line per error."""


def drop_nulls(config: MutableMapping[str, Any]) -> None:
    """Remove the keys without a value, in place and at every depth.

    A file on top of another one can replace keys and, with `key: null`, take them away.
    """
    for key, value in list(config.items()):
        if value is None:
            del config[key]
        elif isinstance(value, MutableMapping):
            drop_nulls(value)


def check(config: Mapping[str, Any]) -> StudyConfig:
    """Check a configuration: first every key, then, if all are valid, that they do not contradict each other.

    The rules' params come from the mapping as the user wrote it, not from the returned models: a new optional key with
    a default must not rerun the studies that do not use it.

    Returns:
        The configuration as models, for what reads it without params.

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
