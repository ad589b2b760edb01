"""Types of values that several sections share."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from crane.names import OPEN_SUITE, ORIGINAL, PERPLEXITY
from crane.study.schema.section import Problem, Section
from crane.texts.endings import READABLE, unreadable_ending

T = TypeVar("T")

# Optional keys ------------------------------------------------------------------------------------------


class _NotNull:
    """Removes null from the values of an optional key."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if schema["type"] != "nullable":
            raise TypeError(f"Given[...] needs a type without None, not {source}")
        return schema["schema"]


Given = Annotated[T | None, _NotNull()]
"""An optional key: None if the study leaves it out, but `null` is not a valid value."""

# Scalars ------------------------------------------------------------------------------------------------


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise PydanticCustomError("scalar", "must be a string, a number or a boolean")
    return value


Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""A value whose meaning another program knows; a union of types would have an error for each."""

# Names --------------------------------------------------------------------------------------------------

Name = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9_]*$", description="Letters, digits and _ only, not beginning with _."
    ),
]
"""A name that the study gives to one of its parts; it appears in paths."""


@dataclass(frozen=True)
class Reserved:
    """Refuses the names that match a pattern, because the workflow uses them itself."""

    pattern: str

    def _check(self, name: str) -> str:
        if re.search(self.pattern, name):
            raise PydanticCustomError(
                "reserved", "the name {name} is reserved; choose another", {"name": repr(name)}
            )
        return name

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "not": {"pattern": self.pattern}}


LanguageCode = Annotated[
    str,
    Field(
        pattern="^[a-z]{2,3}(_[A-Za-z]+)?$",
        description="Two or three lower-case letters, optionally followed by _ and a script or region.",
    ),
]
MaskSetName = Annotated[Name, Reserved(f"^{ORIGINAL}$")]
DatasetName = Annotated[Name, Reserved("^corpus$")]
BenchmarkName = Annotated[Name, Reserved(f"^({OPEN_SUITE}|{PERPLEXITY})(_|$)")]
SuiteName = Annotated[Name, Reserved(f"^({OPEN_SUITE}|{PERPLEXITY})$")]
Label = Annotated[str, Field(description="Name in tables and figures.")]

# Numbers and choices ------------------------------------------------------------------------------------

Seed = Annotated[int, Field(ge=0, description="Seed of the random draw.")]
Fraction = Annotated[float, Field(gt=0, le=1)]
"""A share of all neurons."""
Dtype = Annotated[
    Literal["auto", "bfloat16", "float32"],
    Field(description="Precision of the model; auto: bfloat16 on a GPU, float32 on a CPU."),
]


def _true(value: bool) -> bool:
    if not value:
        raise PydanticCustomError("only_true", "false is not allowed; allowed: true (or remove the key)")
    return value


OnlyTrue = Annotated[bool, AfterValidator(_true), Field(json_schema_extra={"const": True})]

# Lists --------------------------------------------------------------------------------------------------


def _unique(values: list[Any]) -> list[Any]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise PydanticCustomError("duplicate", "{value} is listed twice", {"value": repr(value)})
    return values


UniqueList = Annotated[list[T], AfterValidator(_unique), Field(json_schema_extra={"uniqueItems": True})]
NonEmptyUniqueList = Annotated[
    list[T], Field(min_length=1), AfterValidator(_unique), Field(json_schema_extra={"uniqueItems": True})
]

# Files --------------------------------------------------------------------------------------------------

Repository = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Repository on the Hugging Face Hub, as owner/name.",
    ),
]
Revision = Annotated[
    str,
    Field(
        pattern="^([0-9a-f]{40}|refs/pr/[1-9][0-9]*)$",
        description="Commit of the repository: all 40 hexadecimal digits, or refs/pr/<n>. A branch could move.",
    ),
]


class Download(Section):
    """A file to download, with its hash."""

    url: str = Field(
        pattern="^https?://[^/ ]+/[^ ]*[^/ ]$",
        description="Address of the file, starting with http:// or https://.",
    )
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$", description="SHA-256 of the file, 64 hexadecimal digits (lower case)."
    )


_SHELL = re.compile(r"~|\$\w|\$\{")


def _whole(path: str) -> str:
    if _SHELL.match(path):
        raise PydanticCustomError(
            "shell",
            "only a shell expands the beginning of {path}; write the whole path",
            {"path": repr(path)},
        )
    return path


LocalPath = Annotated[str, AfterValidator(_whole)]
"""The path of a file or folder, or a glob, as it is: without `~` and variables of the shell."""


def _form(value: Any) -> str:
    return "mapping" if isinstance(value, Mapping | BaseModel) else "text"


def ending_problems(key: str, path: str) -> Iterator[Problem]:
    """Yield the ending of a path or glob of texts if no file with it can be read."""
    ending = unreadable_ending(path)
    if ending is not None:
        yield Problem(
            key, f"{path!r}: cannot read files that end in {ending!r}; the ending must be {READABLE}"
        )


TextOr = Annotated[Annotated[LocalPath, Tag("text")] | Annotated[T, Tag("mapping")], Discriminator(_form)]
"""A path or glob, or keys and values."""
File = TextOr[Download]
"""A path, or a file to download."""
