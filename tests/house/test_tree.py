"""The repository itself: sizes, docstrings, what may not be in it, locks."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house import tree

MAX_LINES = 450

# Folders of one person's or one machine's home, at the start of a path.
MACHINE_PATH = re.compile(r"(?<![\w.~$}-])/(?:root|work)/[A-Za-z0-9._-]+")
REGISTRY_HOST = re.compile(
    r"https?://[^\s\"'<>)]*(?:pypi|simple/|registry|mirror|artifact|nexus)[^\s\"'<>)]*", re.IGNORECASE
)
LEFT_OVER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError|raise NotImplemented\b")


def test_every_module_is_short_enough_to_hold_one_noun():
    long = {name: lines for name, _, lines in tree.list_modules() if lines > MAX_LINES}

    assert long == {}, f"over {MAX_LINES} lines: split them"


def test_every_module_says_what_it_owns():
    silent = [name for name, module, _ in tree.list_modules() if len(tree.get_docstring(module)) < 20]

    assert silent == [], "a module docstring says what the module owns, what not, where to look next"


def test_no_tracked_file_names_a_path_of_one_machine():
    own = [str(tree.ROOT), str(Path.home())]
    found = [
        f"{name}: {hit}"
        for name, text in tree.list_tracked_text()
        for hit in [*MACHINE_PATH.findall(text), *(path for path in own if len(path) > 5 and path in text)]
    ]

    assert found == []


def test_no_tracked_file_names_a_package_registry():
    found = [
        f"{name}: {hit}" for name, text in tree.list_tracked_text() for hit in REGISTRY_HOST.findall(text)
    ]

    assert found == []


def test_the_lock_files_hold_pins_and_hashes_only():
    allowed = re.compile(
        r"#.*|[a-z0-9._-]+(?:\[[a-z,]+\])?==[^\s:]+(?: ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?"
    )
    found = [
        f"{path.name}: {line}"
        for path in sorted((tree.ROOT / "requirements").glob("*.txt"))
        for line in path.read_text().splitlines()
        if not allowed.fullmatch(line)
    ]

    assert found == []


def test_every_locked_package_has_hashes():
    for path in sorted((tree.ROOT / "requirements").glob("*.txt")):
        blocks = re.split(r"(?m)^(?=[a-z0-9])", path.read_text())[1:]

        assert blocks
        assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_all_lock_files_agree_on_versions():
    seen: dict[str, set[str]] = {}
    for path in (tree.ROOT / "requirements").glob("*.txt"):
        # Environments of their own: older on purpose, or beside a framework that pins.
        if path.stem.startswith(("lowest", "langgraph-", "crewai", "sematic", "frameworks", "otel")):
            continue
        for name, version in re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", path.read_text()):
            seen.setdefault(name, set()).add(version)

    assert {name: versions for name, versions in seen.items() if len(versions) > 1} == {}


def test_the_lock_files_were_made_from_todays_pyproject():
    checked = subprocess.run(
        [sys.executable, tree.ROOT / "tools" / "lock.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


def test_nothing_is_left_open_in_the_code():
    found = [
        f"{name}: {hit}"
        for name, text in tree.list_tracked_text()
        if name.endswith((".py", ".sql", ".tcss")) and not name.startswith("tests/house/")
        for hit in LEFT_OVER.findall(text)
    ]

    assert found == []


def test_dependencies_stay_wide_enough_for_the_frameworks_that_pin():
    with (tree.ROOT / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]

    assert [line for line in dependencies if "==" in line or "~=" in line] == []


def test_the_package_is_marked_as_typed():
    assert (tree.PACKAGE / "py.typed").exists()
