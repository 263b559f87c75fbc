"""What the fields of the HTTP interface mean, in words: for OpenAPI, and for the pages that are made of it.

What a field means stands below it in its model; where its name says nearly everything, in field_words.toml
beside this module. The sources are read when the description is first asked for, not at a start; an
installation without them describes types without words.
"""

from __future__ import annotations

import functools
import inspect
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from omium.attribute_docs import attribute_docs

Model = type[BaseModel]

_INNER: Final = re.compile(r"\s*\((?:semantics |execution\.md|2\.)[^)]*\)")


@functools.cache
def list_words() -> Mapping[str, str]:
    """Return the words of field_words.toml, by `field` or `Model.field`."""
    text = Path(__file__).with_name("field_words.toml").read_text("utf-8")
    words: dict[str, str] = tomllib.loads(text)["fields"]
    return words


def find_meaning(model: Model, name: str) -> str:
    """Return what stands below the field, or else in the list of words; empty if nowhere."""
    documented = (attribute_docs(base).get(name) for base in model.__mro__ if issubclass(base, BaseModel))
    words = list_words()
    text = _one_line(next(filter(None, documented), "")) or words.get(
        f"{model.__name__}.{name}", words.get(name, "")
    )
    return f"{text[0].upper()}{text[1:].removesuffix('.')}." if text else ""


def describe(model: Model) -> str:
    """Return the model's own words, on one line for each paragraph."""
    text = model.__dict__.get("__doc__") or ""
    return "\n\n".join(_one_line(each) for each in inspect.cleandoc(text).split("\n\n"))


def _one_line(text: str) -> str:
    return _INNER.sub("", re.sub(r"\s+", " ", text))


class DescribedSchema(GenerateJsonSchema):
    """Pydantic's JSON schemas, with what is known of fields and types in words."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return a model's schema with a description for each field."""
        made = super().model_schema(schema)
        model: Any = schema["cls"]
        if "description" in made:
            made["description"] = describe(model) or made["description"]
        names = {field.alias or name: name for name, field in model.model_fields.items()}
        for shown, field in made.get("properties", {}).items():
            said = find_meaning(model, names.get(shown, shown))
            if said and "description" not in field:
                field["description"] = said
        return made
