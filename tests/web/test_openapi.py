"""The description says what the server does, because it is made of the same table."""

import json
import sys
import typing
from types import ModuleType

import pytest

from omium.server.routes import list_endpoints
from omium.server.web.call import Call
from omium.server.web.declared import list_problems
from omium.server.web.endpoint import Endpoint, Idempotency
from omium.server.web.meanings import DescribedSchema, find_meaning
from omium.server.web.openapi import build_openapi
from omium.server.web.router import Router
from omium.spec.published import spec_json_schema

DOCUMENT = json.loads(build_openapi(list_endpoints()))
EACH = pytest.mark.parametrize("endpoint", list_endpoints(), ids=lambda endpoint: endpoint.name)


async def test_it_is_served_to_everybody(app_client):
    reply = await app_client.as_nobody().get("/openapi.json")

    assert reply.json() == DOCUMENT
    assert reply.json()["openapi"] == "3.1.0"


@EACH
def test_every_endpoint_is_described(endpoint: Endpoint):
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]

    assert operation["operationId"] == endpoint.name
    assert str(endpoint.status) in operation["responses"]
    assert {str(problem.status) for problem in list_problems(endpoint)} <= operation["responses"].keys()
    named = {parameter["name"] for parameter in operation.get("parameters", [])}
    assert set(endpoint.path_parameters) <= named
    takes_key = endpoint.idempotent is Idempotency.KEYED or endpoint.optional_key
    assert ("Idempotency-Key" in named) == takes_key
    assert bool(operation["security"]) != endpoint.is_public


def test_every_reference_leads_somewhere():
    schemas = DOCUMENT["components"]["schemas"]

    def references(node):
        if isinstance(node, dict):
            yield from [node["$ref"]] if "$ref" in node else []
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    assert {reference.rsplit("/", 1)[1] for reference in references(DOCUMENT)} <= schemas.keys()


def test_every_field_that_is_sent_is_described_in_words():
    schemas = DOCUMENT["components"]["schemas"]
    sent = {
        endpoint.body.__name__: endpoint.body for endpoint in list_endpoints() if endpoint.body is not None
    }
    silent = [
        f"{name}.{field}"
        for name, model in sent.items()
        for field, schema in schemas.get(name, {}).get("properties", {}).items()
        if find_meaning(model, field) and schema.get("description") != find_meaning(model, field)
    ]
    asked = [
        parameter["name"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and not parameter.get("description")
    ]

    assert len(sent) > 50
    assert (silent, asked) == ([], [])


def test_without_sources_types_are_described_without_words():
    module = ModuleType("omium.models.nowhere")
    exec(
        "from pydantic import BaseModel\nclass Lost(BaseModel):\n    zz: int = 0\n    'Words.'", vars(module)
    )
    sys.modules[module.__name__] = module
    vars(module)["Lost"].__module__ = module.__name__
    try:
        schema = vars(module)["Lost"].model_json_schema(schema_generator=DescribedSchema)
    finally:
        del sys.modules[module.__name__]

    assert schema["properties"]["zz"] == {"default": 0, "title": "Zz", "type": "integer"}


def test_names_are_unique_because_clients_are_made_of_them():
    names = [endpoint.name for endpoint in list_endpoints()]

    assert len(set(names)) == len(names)
    Router(list_endpoints())


@EACH
def test_a_handlers_annotation_says_what_its_declaration_says(endpoint: Endpoint):
    hints = typing.get_type_hints(endpoint.handler)
    call = next(hint for name, hint in hints.items() if name != "return")
    arguments = typing.get_args(call)
    if arguments and typing.get_origin(call) is Call:
        body, *query = arguments
        assert body in (endpoint.body or type(None), typing.Any)
        assert not query or query[0] in (endpoint.query or type(None), typing.Any)


@EACH
def test_paths_are_versioned(endpoint: Endpoint):
    assert endpoint.path.startswith("/v1/") or endpoint.tags in {("server",), ("docs",)}
    assert endpoint.summary[0].isupper()


async def test_the_schema_of_workflow_specs_is_served_to_everybody(app_client):
    reply = await app_client.as_nobody().get("/schemas/workflow-spec-v0.json")

    assert reply.json() == spec_json_schema()
