"""The published JSON Schema: current, a schema itself, and of one mind with the types."""

import json
from importlib import resources

from omium.spec.check import load_spec
from omium.spec.published import FILE_NAME, make_json_schema, spec_json_schema
from omium.spec.schemas import check_schema, check_value

NODE = {"id": "a", "type": "wait", "parameters": {"seconds": 1}}


def spec(**members):
    return {"omium": "0", "name": "x", "nodes": [NODE], **members}


def test_the_published_schema_is_what_the_types_give():
    text = resources.files("omium.spec").joinpath(FILE_NAME).read_text()

    assert json.loads(text) == make_json_schema(), "run python tools/generate_spec_reference.py"
    assert check_schema(spec_json_schema()) is None


def test_it_takes_what_the_types_take():
    document = spec(**{"x-note": 1, "agents": {"a": {"role": "r", "llm": {"provider": "local"}}}})

    load_spec(document)
    assert check_value(spec_json_schema(), document) == []


def test_it_refuses_unknown_fields_wrong_names_and_parameters_of_another_type():
    for broken in (
        spec(foo=1),
        spec(agents={"a b": {}}),
        spec(nodes=[{**NODE, "type": "think"}]),
        spec(nodes=[{**NODE, "type": "function"}]),
        spec(edges=[{"from": "a"}]),
    ):
        assert check_value(spec_json_schema(), broken) != []
