"""A real server, this process's session with it, and a scripted model on loopback.

Without a framework the tests of its folder are not collected: `make frameworks` runs them where all are.
"""

import importlib.util
import os

import pytest

from tests.frameworks.scripted import open_scripted
from tests.sdk.served import make_running_server, running_server, server

# Before a framework is imported anywhere: nothing is reported to anybody.
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["OTEL_SDK_DISABLED"] = "true"
os.environ["OPENAI_API_KEY"] = "sk-of-the-test-0123456789"

_MODULES = {
    "openai_agents": "agents",
    "semantic_kernel": "semantic_kernel",
    "haystack": "haystack",
    "llama_index": "workflows",
}
collect_ignore_glob = [
    f"{folder}/*" for folder, module in _MODULES.items() if importlib.util.find_spec(module) is None
]

__all__ = ["make_running_server", "model", "running_server", "server"]


def pytest_configure(config):
    # Semantic Kernel's own classes, when they are made.
    config.addinivalue_line("filterwarnings", "ignore::pydantic.warnings.PydanticDeprecatedSince211")
    config.addinivalue_line("filterwarnings", "ignore::pydantic.warnings.PydanticDeprecatedSince20")


@pytest.fixture
def model(monkeypatch, tmp_path):
    """The model that scripts find at OPENAI_BASE_URL; its answers are what the test puts into `script`.

    What the tools of a test write lies in the test's own folder.
    """
    monkeypatch.chdir(tmp_path)
    with open_scripted() as scripted:
        monkeypatch.setenv("OPENAI_BASE_URL", scripted.base_url)
        yield scripted
