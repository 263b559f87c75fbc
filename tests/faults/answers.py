"""Answers: whether what came back is what the OpenAPI document says.

Judged as by somebody who has nothing else: its own schemas decide, read by a validator that is not ours, and
objects with named members may have no others, because what is not described is not promised.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs

Json = Any
PROBLEM = "application/problem+json"
VALUES = frozenset({"default", "example", "examples"})  # what they hold is no schema


class Judge:
    """Holds a compiled validator for each operation and status of `document`."""

    def __init__(self, document: Json) -> None:
        self._operations = {
            operation["operationId"]: operation
            for methods in document["paths"].values()
            for operation in methods.values()
        }
        self._components = {
            "schemas": {
                name: schema if name == "Problem" else _closed(schema)
                for name, schema in document["components"]["schemas"].items()
            }
        }
        self._validators: dict[tuple[str, int], tuple[str, Any]] = {}

    def find_fault(self, operation_id: str, status: int, content_type: str, body: bytes) -> str | None:
        """Return what the document does not say of this answer, None if it's all there."""
        operation = self._operations[operation_id]
        if status >= 500:
            return f"it answered {status}"
        if str(status) not in operation["responses"]:
            return f"the status {status} is not declared"
        media_type, validator = self._compiled(operation, status)
        if media_type not in {content_type, content_type.partition(";")[0]}:
            return f"{status} is declared as {media_type}, it came as {content_type}"
        if media_type == "":
            return "there is a body where none is declared" if body else None
        if not media_type.endswith("json"):
            return None
        value = json.loads(body)
        if fault := next(validator.iter_errors(value), None):
            return f"{status}: {fault.message[:300]} at {fault.instance_path}"
        if media_type == PROBLEM:
            if value["status"] != status:
                return f"its body says {value['status']}, its head {status}"
            if value["code"] not in operation["x-omium-problems"]:
                return f"the problem {value['code']} is not declared"
        return None

    def _compiled(self, operation: Json, status: int) -> tuple[str, Any]:
        key = (operation["operationId"], status)
        if key not in self._validators:
            content = operation["responses"][str(status)].get("content", {"": {"schema": True}})
            [(media_type, described)] = content.items()
            schema = described["schema"]
            whole = {"allOf": [_closed(schema)], "components": self._components} if media_type else True
            self._validators[key] = media_type, jsonschema_rs.validator_for(whole)
        return self._validators[key]


def _closed(schema: Json) -> Json:
    """Return `schema` with no room for members that it does not name."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items() if name not in VALUES}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed["properties"] = {name: _closed(each) for name, each in schema["properties"].items()}
        closed.setdefault("additionalProperties", False)
    return closed
