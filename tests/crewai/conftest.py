"""A real server, this process's session with it, a scripted model; without CrewAI nothing is collected."""

import importlib.util
import os
import warnings

import pytest

from tests.crewai.scripted_model import ScriptedModel
from tests.sdk.served import make_running_server, running_server, server

# Before CrewAI is imported anywhere: it reads these once.
os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
os.environ["CREWAI_TRACING_ENABLED"] = "false"
os.environ["CREWAI_DISABLE_VERSION_CHECK"] = "true"

if importlib.util.find_spec("crewai") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    with warnings.catch_warnings():  # its own modules are loaded with warnings
        warnings.simplefilter("ignore")
        importlib.import_module("crewai")

__all__ = ["make_running_server", "running_server", "server"]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model of its own for each test; crews find it by the variables that OpenAI's client reads."""
    made = ScriptedModel()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing-that-anybody-has")
    monkeypatch.setenv("OPENAI_BASE_URL", made.base_url)
    monkeypatch.setenv("OPENAI_API_BASE", made.base_url)
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "crewai"))
    yield made
    made.close()


def pytest_collection_modifyitems(items):
    """Let CrewAI's own warnings pass: it uses what it has deprecated itself."""
    here = os.path.dirname(__file__)  # noqa: PTH120  # a text is compared
    for item in items:
        if str(item.path).startswith(here):
            for category in ("DeprecationWarning", "UserWarning", "ImportWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{category}"))
