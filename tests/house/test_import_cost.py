"""`import omium` costs next to nothing beside the framework that it is imported next to."""

import os
import resource
import subprocess
import sys

HEAVY = (
    "aiosqlite", "asyncio", "click", "crewai", "cryptography", "httpcore", "httpx", "langchain_core",
    "langgraph", "omium.adapters", "omium.cli", "omium.server", "omium.testing", "omium.tui", "opentelemetry",
    "prometheus_client", "psycopg", "pydantic", "rich", "sematic", "semantic_kernel", "sqlite3",
    "sqlite_utils", "ssl", "starlette", "structlog", "textual", "typer", "uvicorn", "uvloop",
)  # fmt: skip

ROUNDS = 5


def clean_environment() -> dict[str, str]:
    """Return our environment without what would slow a child: coverage, and the ban on compiled bytecode."""
    dropped = ("COV", "COVERAGE", "PYTEST", "PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout


def measure_cpu_s(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_python(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def test_import_loads_no_server_no_http_no_dashboard_and_no_framework():
    loaded = run_python("import sys, omium; print(*sys.modules)").split()

    assert "omium" in loaded
    assert [name for name in loaded if name.startswith(HEAVY)] == []


def test_import_costs_less_than_half_of_importing_httpx_alone():
    # CPU time and a ratio of the least of several rounds: the machine may be slow and busy.
    bare, ours, theirs = [], [], []
    for _ in range(ROUNDS):
        bare.append(measure_cpu_s("pass"))
        ours.append(measure_cpu_s("import omium"))
        theirs.append(measure_cpu_s("import httpx"))

    assert min(ours) - min(bare) < 0.4 * (min(theirs) - min(bare))
