"""OpenAPI 3.1, derived from the endpoint table: what a client may send, and everything that may come back.

Owns the list of problems that any endpoint may answer, beside those that it declares itself. Nothing is
written by hand, so the document cannot differ from what the server does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from omium import __version__
from omium import errors as e
from omium.jsonvalue import json_bytes
from omium.server.web.declared import list_problems
from omium.server.web.endpoint import Endpoint, Idempotency
from omium.server.web.meanings import DescribedSchema

_REF = "#/components/schemas/{model}"

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A problem as of RFC 9457; further members depend on `code`.",
    "required": ["type", "code", "status", "title", "detail", "retryable"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:omium:error:not-found"]},
        "code": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "retryable": {"type": "boolean"},
        "request_id": {"type": "string"},
    },
}
_REQUEST_ID_HEADER = {
    "Omium-Request-Id": {
        "description": "Names this request in the server's log.",
        "schema": {"type": "string"},
    }
}


def build_openapi(endpoints: Sequence[Endpoint]) -> bytes:
    """Return the document as JSON."""
    models, schemas = _collect_schemas(endpoints)
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in endpoints:
        paths[endpoint.path][endpoint.method.lower()] = _operation(endpoint, models)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Omium",
            "version": __version__,
            "description": "The reliability operating system for multi-agent AI, self-hosted.",
        },
        "paths": dict(paths),
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: om_…"},
            },
        },
    }
    return json_bytes(document)


_Models = dict[tuple[Any, str], dict[str, Any]]


def _collect_schemas(endpoints: Iterable[Endpoint]) -> tuple[_Models, dict[str, Any]]:
    inputs: dict[tuple[type[BaseModel], Any], None] = {}
    for endpoint in endpoints:
        if endpoint.body is not None:
            inputs[endpoint.body, "validation"] = None
        if endpoint.reply is not None:
            inputs[endpoint.reply, "serialization"] = None
    models, definitions = models_json_schema(
        list(inputs), ref_template=_REF, schema_generator=DescribedSchema
    )
    return cast("_Models", models), dict(definitions.get("$defs", {}))


def _operation(endpoint: Endpoint, models: _Models) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": _responses(endpoint, models),
        "x-omium-idempotency": endpoint.idempotent.value,
        "x-omium-problems": sorted(problem.code for problem in list_problems(endpoint)),
    }
    if endpoint.tags:
        operation["tags"] = list(endpoint.tags)
    if endpoint.scope is not None:
        operation["x-omium-scope"] = endpoint.scope.value
    operation["security"] = [] if endpoint.is_public else [{"key": []}]
    if parameters := [*_path_parameters(endpoint), *_query_parameters(endpoint), *_headers(endpoint)]:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        content = {"application/json": {"schema": models[endpoint.body, "validation"]}}
        operation["requestBody"] = {"required": True, "content": content}
    elif endpoint.raw_body:
        operation["requestBody"] = {"required": True, "content": {"*/*": {"schema": {}}}}
    return operation


def _responses(endpoint: Endpoint, models: _Models) -> dict[str, Any]:
    good: dict[str, Any] = {"description": endpoint.summary, "headers": _REQUEST_ID_HEADER}
    if endpoint.reply is not None:
        good["content"] = {endpoint.media_type: {"schema": models[endpoint.reply, "serialization"]}}
    elif endpoint.status != 204:
        kind = "object" if endpoint.media_type == "application/json" else "string"
        good["content"] = {endpoint.media_type: {"schema": {"type": kind}}}
    by_status: defaultdict[int, list[type[e.Problem]]] = defaultdict(list)
    for problem in list_problems(endpoint):
        by_status[problem.status].append(problem)
    responses = {str(endpoint.status): good}
    for status, problems in sorted(by_status.items()):
        responses[str(status)] = {
            "description": " ".join(f"`{problem.code}`: {problem.title}." for problem in problems),
            "headers": _REQUEST_ID_HEADER,
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
    return responses


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in endpoint.path_parameters
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    schema = endpoint.query.model_json_schema(ref_template=_REF, schema_generator=DescribedSchema)
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", []))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _inline(entry, definitions),
            **({"description": entry["description"]} if "description" in entry else {}),
        }
        for name, entry in schema.get("properties", {}).items()
    ]


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return `schema` with references to its own definitions replaced: queries have no components."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inline(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
        return {name: _inline(value, definitions) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_inline(value, definitions) for value in schema]
    return schema


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.idempotent is Idempotency.KEYED or endpoint.optional_key:
        description = (
            "Any new text, the same when the request is repeated: then it has one effect and one answer."
        )
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        return [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": not endpoint.optional_key,  # or the body names what is to be made
                "schema": schema,
                "description": description,
            }
        ]
    if endpoint.stream:
        return [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "The last event that was seen; the stream goes on after it.",
            }
        ]
    return []
