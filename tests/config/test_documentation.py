"""Every setting of clients stands in the documentation, with its variable and its sentence."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from omium.config import KEY_FILE_VARIABLE, VARIABLES, Settings
from omium.config.profiles import KEYS

PAGE = (Path(__file__).resolve().parents[2] / "docs/configuration.md").read_text()
ROWS = {row[1]: row[2] for row in re.finditer(r"^\| `(OMIUM_\w+)` \|(.+)$", PAGE, re.MULTILINE)}


@pytest.mark.parametrize("setting", VARIABLES)
def test_every_setting_has_a_row(setting):
    variable, description = VARIABLES[setting]
    assert description in ROWS[variable]
    default = {each.name: each.default for each in fields(Settings)}[setting]
    if isinstance(default, str | float) and default:
        assert f"{default:g}" if isinstance(default, float) else default in ROWS[variable]


def test_nothing_else_is_in_the_table():
    assert ROWS.keys() == {variable for variable, _ in VARIABLES.values()} | {KEY_FILE_VARIABLE}


def test_every_key_of_a_profile_is_named():
    assert [
        key for key in KEYS - {"api_key_id"} if not re.search(rf"`{key}`|^{key} =", PAGE, re.MULTILINE)
    ] == []
