"""A real server, this process's session with it, and a scripted model; without CrewAI there is nothing to test."""

import importlib.util
import os

from tests.sdk.served import make_running_server, running_server, server

# Before CrewAI is imported anywhere: it reads these once.
os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
os.environ["CREWAI_TRACING_ENABLED"] = "false"
os.environ["CREWAI_DISABLE_VERSION_CHECK"] = "true"
os.environ["OTEL_SDK_DISABLED"] = "true"

if importlib.util.find_spec("crewai") is None:
    collect_ignore_glob = ["test_*.py"]

__all__ = ["make_running_server", "running_server", "server"]
