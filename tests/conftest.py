"""What holds for every test: hypothesis profiles, PostgreSQL fixtures, the closing word on what was skipped.

Fixtures for one area belong in that area's own folder. Warnings as errors, asyncio mode and the time limit
are settings in pyproject.toml.
"""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import hypothesis
import pytest

from tests import postgres
from tests.faults.plugin import pytest_addoption, pytest_configure, pytest_report_header
from tests.postgres import (
    database_url,
    empty_database_url,
    empty_postgres_url,
    postgres_server,
    postgres_url,
)

__all__ = [  # fixtures and hooks are found by name in a conftest
    "database_url",
    "empty_database_url",
    "empty_postgres_url",
    "postgres_server",
    "postgres_url",
    "pytest_addoption",
    "pytest_configure",
    "pytest_report_header",
]

# What a test writes is gone with it, so it need not reach a disk: here fsync costs milliseconds, thousands of
# times over. Where power is cut and disks are full, tests bring file systems and logs of their own.
_MEMORY = Path("/dev/shm")  # only its size is taken for granted, and that is asked
_NEEDED_BYTES = 4 << 30


def _is_roomy(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    may_run = not found.f_flag & os.ST_NOEXEC  # some tests write programs
    return os.access(folder, os.W_OK) and may_run and found.f_bavail * found.f_frsize >= _NEEDED_BYTES


if "TMPDIR" not in os.environ and _is_roomy(_MEMORY):
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

# What this machine has set, stored or left over decides nothing: programs find a home without anything in it.
_CHOSEN = ("OMIUM_HYPOTHESIS_PROFILE", "OMIUM_REQUIRE_POSTGRES")
for _name in [name for name in os.environ if name.startswith("OMIUM_") and name not in _CHOSEN]:
    del os.environ[_name]
_home = tempfile.mkdtemp(prefix="omium-home-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_DATA_HOME"] = _home
# A backend that a test defines is one to choose from for all that come after it, unless one is named.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"

# A shell that runs the tests in its background has Ctrl-C ignored, and what is ignored is inherited: programs
# that are to be interrupted would go on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines: two shared cores make any single example slow now and then, and pytest's timeout is there.
hypothesis.settings.register_profile("default", deadline=None, max_examples=100)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5_000)
hypothesis.settings.load_profile(os.environ.get("OMIUM_HYPOTHESIS_PROFILE", "default"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Number long values instead of spelling them: ids stay readable, and the same in every worker."""
    return argname if isinstance(val, str | bytes) and len(val) > 40 else None


@pytest.hookimpl(trylast=True)  # after pytest-xdist has named the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse what goes wrong in parallel workers: ids that differ between them, and groups unseen."""
    unstable = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError(f"These test ids hold a memory address; give `ids=`: {unstable}")
    if getattr(config.option, "loadgroup", False):
        loose = [item.nodeid for item in items if item.get_closest_marker("xdist_group")]
        loose = [nodeid for nodeid in loose if "@" not in nodeid]
        if loose:
            raise pytest.UsageError(f"pytest-xdist does not keep these groups of tests together: {loose[:3]}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if postgres.find_binaries() is None:
        terminalreporter.write_line(
            "The PostgreSQL half of the tests was skipped: its server programs are not on this machine"
            " (Debian: apt-get install postgresql).",
            yellow=True,
        )
