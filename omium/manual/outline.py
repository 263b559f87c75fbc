"""Outlines: the headings of a page, the anchors that links name, and the sections between them.

Anchors follow the rule of Git hosts, so a link works there, here and on the server's pages alike. What
stands in a fenced block is neither heading nor link. Comments, which tell our tests how to run a snippet, are
no text for readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(r" *(?P<ticks>`{3,})[^`]*$")
_HEADING: Final = re.compile(r"(?P<marks>#{1,6}) +(?P<text>.+?) *#*$")
_COMMENT: Final = re.compile(r"<!--.*-->\s*")
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_EMPHASIS: Final = re.compile(r"(?<![\w*])\*{1,2}([^*\s](?:[^*\n]*[^*\s])?)\*{1,2}(?![\w*])")
_RULE: Final = re.compile(r"^[ |:-]*-{3}[ |:-]*$", re.MULTILINE)
_NOT_IN_ANCHORS: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: `level` 1 to 6, its words without marks, its anchor, the number of its line from 0."""

    level: int
    text: str
    anchor: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the text below it, up to the next heading of any level. None: before the first one."""

    heading: Heading | None
    text: str


def strip_comments(text: str) -> str:
    """Return the page without the lines that are comments; those in fenced blocks stay."""
    kept: list[str] = []
    left_out = False
    for line, fenced in _walk(text.splitlines()):
        if not fenced and _COMMENT.fullmatch(line):
            left_out = True
        elif line or not left_out or (kept and kept[-1]):  # a comment between two blank lines leaves one
            kept.append(line)
            left_out = False
    return "\n".join(kept) + "\n"


def read_headings(text: str) -> tuple[Heading, ...]:
    """Return the headings of a page in order; anchors that occur again are numbered from 1."""
    found: list[Heading] = []
    seen: set[str] = set()
    for number, (line, fenced) in enumerate(_walk(text.splitlines())):
        match = None if fenced else _HEADING.match(line)
        if match is None:
            continue
        anchor = stem = make_anchor(match["text"])
        count = 0
        while anchor in seen:
            count += 1
            anchor = f"{stem}-{count}"
        seen.add(anchor)
        found.append(Heading(len(match["marks"]), plain_text(match["text"]), anchor, number))
    return tuple(found)


def read_sections(text: str, headings: Sequence[Heading]) -> tuple[Section, ...]:
    """Return what stands below each heading, and before the first one if there is anything."""
    lines = text.splitlines()
    starts = [heading.line for heading in headings]
    head = "\n".join(lines[: starts[0]] if starts else lines).strip()
    found = [Section(None, head)] if head else []
    for heading, end in zip(headings, [*starts[1:], len(lines)], strict=True):
        found.append(Section(heading, "\n".join(lines[heading.line + 1 : end]).strip()))
    return tuple(found)


def make_anchor(words: str) -> str:
    """Return the anchor that a heading of these words has on its page."""
    return _NOT_IN_ANCHORS.sub("", words.strip().lower()).replace(" ", "-")


def plain_text(markdown: str) -> str:
    """Return the words of a piece of Markdown: links by their words, no marks, a table by its cells."""
    text = _RULE.sub("", _LINK.sub(r"\1", markdown).replace("`", ""))
    text = _EMPHASIS.sub(r"\1", text.replace("\\|", "\x00"))
    return re.sub(r"\s+", " ", text.replace("|", " ").replace("\x00", "|")).strip()


def _walk(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield each line, and whether it belongs to a fenced block."""
    ticks = ""
    for line in lines:
        if ticks:
            yield line, True
            if line.strip() == ticks:
                ticks = ""
        elif match := _FENCE.match(line):
            ticks = match["ticks"]
            yield line, True
        else:
            yield line, False
