"""The keys on the page of the dashboard are those of its registry."""

import importlib.util

from tests.docs.pages import ROOT

_spec = importlib.util.spec_from_file_location(
    "dashboard_keys", ROOT / "tools" / "generate_dashboard_keys.py"
)
dashboard_keys = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dashboard_keys)


def test_the_page_has_the_keys_of_the_registry():
    written = (ROOT / "docs" / "dashboard.md").read_text()
    assert dashboard_keys.render() in written, "run: python tools/generate_dashboard_keys.py"
