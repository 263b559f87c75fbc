"""docs/spec.md says what the types say; its examples are without a fault, and its codes are all there are."""

import importlib.util
import re

import pytest

import omium.spec
from omium.spec.check import check_spec
from omium.spec.document import NODE_TYPES
from omium.spec.problems import CODES
from tests.docs.pages import ROOT

_spec = importlib.util.spec_from_file_location(
    "spec_reference", ROOT / "tools" / "generate_spec_reference.py"
)
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


def test_the_reference_and_the_published_schema_are_current():
    stale = [path.name for path, text in reference.make_files().items() if path.read_text("utf-8") != text]

    assert stale == [], "run: python tools/generate_spec_reference.py"


@pytest.mark.parametrize("node_type", NODE_TYPES)
def test_every_node_type_has_an_example_without_a_fault(node_type):
    example = reference.EXAMPLES[node_type]["spec"]
    checked = check_spec(example)

    assert checked.problems == ()
    assert [warning for warning in checked.warnings if warning.code != "may-be-missing"] == []
    assert node_type in {node["type"] for node in example["nodes"]}


def test_every_code_in_the_source_is_listed_and_every_listed_one_is_used():
    folder, beyond = ROOT / "omium" / "spec", ROOT / "omium" / "server" / "engine" / "workflow_targets.py"
    files = [path for path in folder.glob("*.py") if path.name != "problems.py"]
    text = "".join(path.read_text("utf-8") for path in [*files, beyond])
    made = set(re.findall(r'"((?:bad|unknown|missing|misplaced|wrong|duplicate|no|not)-[a-z-]+)"', text))
    built = {f"unknown-{what}" for what in ("agent", "tool", "breaker")}

    assert made - CODES.keys() - {"not-a"} == set()
    assert {code for code in CODES if f'"{code}"' not in text} == built


def test_every_field_of_a_type_has_a_row():
    page = reference.PAGE.read_text("utf-8")
    schema = reference.make_json_schema()
    for part in (schema, *schema["$defs"].values()):
        for name in part.get("properties", {}):
            assert f"| `{name}` |" in page


def test_the_package_names_its_modules():
    assert omium.spec.__doc__
    named = set(re.findall(r"([a-z_]+\.py)", omium.spec.__doc__))

    assert {name for name in named if not (ROOT / "omium" / "spec" / name).exists()} == set()
