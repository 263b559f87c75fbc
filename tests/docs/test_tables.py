"""Every setting and every error code stands in the documentation."""

import re
from dataclasses import fields

import pytest

from omium.errors import problem_classes
from omium.server.settings import ServerSettings
from tests.docs.pages import ROOT

ERRORS = (ROOT / "docs" / "errors.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("code", sorted(problem_classes()))
def test_every_code_has_a_heading_that_names_its_status(code):
    problem = problem_classes()[code]
    section = re.search(rf"^### {re.escape(code)}\n\n(.+?)(?=\n##|\Z)", ERRORS, re.MULTILINE | re.DOTALL)

    assert section is not None
    assert section[1].startswith(f"{problem.status}. ") or code == "unknown-problem"


def test_every_heading_is_a_code():
    assert set(re.findall(r"^### (.+)$", ERRORS, re.MULTILINE)) == problem_classes().keys()


@pytest.mark.parametrize("setting", [field.name for field in fields(ServerSettings)])
def test_every_setting_has_a_row_with_its_sentence(setting):
    field = next(field for field in fields(ServerSettings) if field.name == setting)
    row = re.search(rf"^\| `{field.metadata['variable']}` \|(.+)$", OPERATIONS, re.MULTILINE)

    assert row is not None
    assert field.metadata["description"] in row[1]
