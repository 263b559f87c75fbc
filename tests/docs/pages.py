"""The documentation as the tests read it: pages, fenced blocks, headings, links.

A page's `python` and `console` blocks are run (snippets.py); a comment on the line above changes that:

    <!-- not run: the reason -->     not run; a python block must still compile
    <!-- file: name.py -->           saved under that name beside the page's other blocks, for a later command
    <!-- exit code: 1 -->            the block's last command ends with this code

Anywhere on a page `<!-- with a server -->` starts one, with `omium init` done, before its first snippet.
`<!-- needs: module -->` says that they run where a framework is: tests/frameworks/test_docs.py.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]

LANGUAGES = frozenset({"console", "css", "ini", "json", "python", "sql", "text", "toml", "yaml"})
WITH_SERVER = "<!-- with a server -->"
NEEDS = re.compile(r"<!-- needs: *([a-z_.]+) *-->")
DIRECTIVE = re.compile(r"<!-- (not run|file|exit code): *(.+?) *-->")
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^`]*)$")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: where it begins, its language, its text and the directives above it."""

    line: int
    language: str
    text: str
    directives: dict[str, str]


def page_name(page: Path) -> str:
    """Return the page's path as a reader of the repository names it."""
    return str(page.relative_to(ROOT))


def read_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page; an unclosed one is an error."""
    blocks: list[Block] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if opening is None:
            number += 1
            continue
        indent, ticks = len(opening["indent"]), opening["ticks"]
        end = next((i for i in range(number + 1, len(lines)) if lines[i].strip() == ticks), None)
        if end is None:
            raise ValueError(f"line {number + 1}: a fenced block is not closed")
        body = "\n".join(line[indent:] for line in lines[number + 1 : end]) + "\n"
        directives = dict(DIRECTIVE.findall(find_line_above(lines, number)))
        blocks.append(Block(number + 1, opening["language"].strip(), body, directives))
        number = end + 1
    return blocks


def find_line_above(lines: list[str], number: int) -> str:
    """Return the nearest line above `number` that is not blank."""
    return next((line for line in reversed(lines[:number]) if line.strip()), "")


def strip_blocks(text: str) -> str:
    """Return the page without its fenced blocks, in which links and headings are no such things."""
    kept, ticks = [], None
    for line in text.splitlines():
        fence = FENCE.match(line)
        if ticks is not None:
            ticks = None if line.strip() == ticks else ticks
        elif fence is not None:
            ticks = fence["ticks"]
        else:
            kept.append(line)
    return "\n".join(kept)


def list_links(text: str) -> list[str]:
    """Return the targets of all links on a page."""
    return LINK.findall(re.sub(r"`[^`\n]*`", "", strip_blocks(text)))


def list_anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, by the rule that Git hosts use."""
    anchors: set[str] = set()
    for line in strip_blocks(text).splitlines():
        if heading := HEADING.match(line):
            slug = re.sub(r"[^\w\- ]", "", heading[1].strip().lower()).replace(" ", "-")
            count = 0
            while (anchor := slug if count == 0 else f"{slug}-{count}") in anchors:
                count += 1
            anchors.add(anchor)
    return anchors
