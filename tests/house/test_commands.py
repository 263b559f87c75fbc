"""What people type: the command that the package installs, the targets that the documentation names."""

import importlib.metadata
import re

from tests.house import tree

MENTION = re.compile(r"(?:\$ |`)make(?: -k)? ([a-z][a-z-]*)")
TARGET = re.compile(r"(?m)^([a-z][a-z-]*):")


def test_the_omium_command_leads_to_a_function():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="omium")

    assert callable(script.load())


def test_every_make_target_that_is_named_exists():
    targets = set(TARGET.findall((tree.ROOT / "Makefile").read_text()))
    named = {
        (name, target)
        for name, text in tree.list_tracked_text()
        if name.endswith((".md", ".py", ".toml")) or name == ".ci/run"
        for target in MENTION.findall(text)
    }

    assert {"test", "check"} <= {target for _, target in named}
    assert [f"{name}: make {target}" for name, target in sorted(named) if target not in targets] == []


def test_every_target_for_people_has_a_line_in_make_help():
    makefile = (tree.ROOT / "Makefile").read_text()
    steps = {"check-lint", "check-format", "check-types", "check-layers", "check-lock"}  # parts of `check`
    silent = [
        target
        for target in TARGET.findall(makefile)
        if target not in steps and not re.search(rf"(?m)^{target}:.*## \S", makefile)
    ]

    assert silent == []


def test_no_tool_has_the_name_of_a_package_that_others_import():
    tools = {path.stem for path in (tree.ROOT / "tools").glob("*.py")}
    imported = re.compile(r"(?m)^\s*(?:import|from) (\w+)")
    found = [
        f"{name}: {root}"
        for name, text in tree.list_tracked_text()
        if name.endswith(".py") and not name.startswith("tools/")
        for root in imported.findall(text)
        if root in tools
    ]

    assert found == []  # mypy reads tools/ as modules of the top level: one named like a package hides it
