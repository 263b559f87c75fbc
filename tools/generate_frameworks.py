"""Writes docs/frameworks.md from tools/frameworks.toml: what holds for each framework, and by which test.

    python tools/generate_frameworks.py            write the page
    python tools/generate_frameworks.py --check    write nothing, say whether it is current

A line of the table names a test. It must be there, under that name, and must not be one that is skipped or
expected to fail; frameworks are not imported to see that. The tests themselves run in the environment that
the page names.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "tools" / "frameworks.toml"
PAGE = ROOT / "docs" / "frameworks.md"
KINDS = ("captured", "resumed", "exported")
_UNPROVEN = ("skip", "xfail", "skipif")
INTRODUCTION = """\
# Frameworks

What Omium records of each framework, where a run goes on after it was killed or edited, and what becomes of a
workflow that was exported. Each line is a test that runs with the real framework.

This page is written by `tools/generate_frameworks.py` from `tools/frameworks.toml`.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that holds, and the test that shows it."""

    what: str
    test: str


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework's lines by kind."""

    key: str
    title: str
    page: str
    tests: str
    lines: dict[str, tuple[Line, ...]]


def read_record() -> list[Framework]:
    """Return the frameworks in the order of the record."""
    record = tomllib.loads(RECORD.read_text("utf-8"))
    return [
        Framework(
            key,
            told["title"],
            told["page"],
            told["tests"],
            {kind: tuple(Line(*line) for line in told.get(kind, ())) for kind in KINDS},
        )
        for key, told in record.items()
    ]


def list_unproven(frameworks: list[Framework]) -> Iterator[str]:
    """Yield a sentence for each line whose test is not there, or proves nothing."""
    for framework in frameworks:
        for kind in KINDS:
            for line in framework.lines[kind]:
                path, _, name = line.test.partition("::")
                found = _list_tests(path).get(name)
                if found is None:
                    yield f"{framework.key}, {kind}: there is no test {line.test}."
                elif any(word in mark for mark in found for word in _UNPROVEN):
                    yield f"{framework.key}, {kind}: {line.test} is skipped or expected to fail."


@cache
def _list_tests(path: str) -> dict[str, tuple[str, ...]]:
    """Return the tests of a file with their decorators."""
    file = ROOT / path
    if not file.is_file():
        return {}
    return {
        node.name: tuple(ast.unparse(each) for each in node.decorator_list)
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def make_page(frameworks: list[Framework]) -> str:
    """Return the page as it should be."""
    head = ["| framework | " + " | ".join(KINDS) + " | tested by |", "|---" * (len(KINDS) + 2) + "|"]
    rows = [
        f"| [{each.title}]({each.page}) | "
        + " | ".join(str(len(each.lines[kind])) for kind in KINDS)
        + f" | `{each.tests}` |"
        for each in frameworks
    ]
    parts = [INTRODUCTION, "\n".join([*head, *rows]) + "\n", *(_section(each) for each in frameworks)]
    return "\n".join(parts)


def _section(framework: Framework) -> str:
    rows = [f"| {kind} | {line.what} | `{line.test}` |" for kind in KINDS for line in framework.lines[kind]]
    return "\n".join([f"## {framework.title}", "", "| | what | test |", "|---|---|---|", *rows]) + "\n"


def main() -> None:
    """Write the page, or with --check say whether it is current."""
    frameworks = read_record()
    if unproven := list(list_unproven(frameworks)):
        sys.exit("\n".join(unproven))
    page = make_page(frameworks)
    if "--check" in sys.argv[1:]:
        current = PAGE.read_text("utf-8") if PAGE.is_file() else ""
        if page != current:
            sys.exit("docs/frameworks.md is not current: python tools/generate_frameworks.py")
        return
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
