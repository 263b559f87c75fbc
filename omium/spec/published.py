"""The JSON Schema of a spec, made from the types: `workflow-spec-v0.json`, in the wheel and at the server.

It says what shape.py says; what parts say together (edges that lead nowhere, references, loops) no schema can
say, so `check_spec` finds more.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from omium.attribute_docs import attribute_docs
from omium.spec.document import Object, Part, Spec
from omium.spec.parameters import PARAMETERS

SCHEMA_ID: Final = "urn:omium:schema:workflow-spec-v0"
FILE_NAME: Final = "workflow-spec-v0.json"


class _Described(GenerateJsonSchema):
    """Pydantic's schemas, with what stands below the fields of a part."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model: Any = schema["cls"]
        bases = [each for each in reversed(model.__mro__) if issubclass(each, Part)]
        said = {name: text for base in bases for name, text in attribute_docs(base).items()}
        for name, field in model.model_fields.items():
            shown = made.get("properties", {}).get(field.alias or name)
            if shown is not None and name in said:
                shown.setdefault("description", said[name])
        return made


def make_json_schema() -> Object:
    """Return the schema as the types give it; tools/generate_spec_reference.py writes it to the file."""
    parts = [(part, "validation") for part in (Spec, *PARAMETERS.values())]
    _, whole = models_json_schema(
        parts,  # type: ignore[arg-type]  # literals
        ref_template="#/$defs/{model}",
        schema_generator=_Described,
    )
    definitions: dict[str, Any] = whole["$defs"]
    for part in definitions.values():
        _tidy(part)
    node = definitions["Node"]
    node["allOf"] = [
        {
            "if": {"properties": {"type": {"const": type_}}},
            "then": {"properties": {"parameters": {"$ref": f"#/$defs/{part.__name__}"}}},
        }
        for type_, part in PARAMETERS.items()
    ]
    spec = definitions.pop("Spec")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **spec,
        "title": "Omium Workflow Spec v0",
        "$defs": dict(sorted(definitions.items())),
    }


@cache
def published_bytes() -> bytes:
    """Return the published JSON Schema of a spec as the package holds it."""
    return resources.files("omium.spec").joinpath(FILE_NAME).read_bytes()


def spec_json_schema() -> Object:
    """Return the published JSON Schema of a spec."""
    schema: Object = json.loads(published_bytes())
    return schema


def _tidy(part: Any) -> None:
    """Take off the titles that pydantic makes of names, and close what has named parts, all the way down."""
    if isinstance(part, list):
        for item in part:
            _tidy(item)
    elif isinstance(part, dict):
        if isinstance(part.get("title"), str):
            del part["title"]
        if "propertyNames" in part and "patternProperties" in part:
            part["additionalProperties"] = False  # names of another form are none
        for item in part.values():
            _tidy(item)
