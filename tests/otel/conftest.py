"""Real exporters and instrumentors, in an environment of their own: `make otel`."""

import importlib.util

from tests.serverfixture import make_running_server, running_server

WANTED = ("openinference", "langchain_openai", "opentelemetry.sdk")


def is_there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


collect_ignore_glob = [] if all(is_there(name) for name in WANTED) else ["test_*.py"]

__all__ = ["make_running_server", "running_server"]
