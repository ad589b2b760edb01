"""The JSON schema of a study, for editors: `make schema` writes it."""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from crane.study.schema.root import StudyConfig

SCHEMA = Path(__file__).parents[4] / "schemas" / "config.schema.json"


class _ForEditors(GenerateJsonSchema):
    """Draws the schema of what a user may write: no titles, no null as default, names checked in every mapping."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        written = super().default_schema(schema)
        if written.get("default", ...) is None:
            del written["default"]
        return written

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        written = super().dict_schema(schema)
        if patterns := written.pop("patternProperties", None):
            (pattern,) = patterns
            written["additionalProperties"] = patterns[pattern]
            written["propertyNames"] = {"pattern": pattern, **written.get("propertyNames", {})}
        return written


def rendered() -> str:
    """Return the schema as the file holds it."""
    schema = {
        "$schema": _ForEditors.schema_dialect,
        **StudyConfig.model_json_schema(schema_generator=_ForEditors),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema to `workflow/schemas/config.schema.json`."""
    SCHEMA.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()
