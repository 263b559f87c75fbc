"""Search: the sections of all pages that hold the words, the best first.

A word is found at the beginning of words ("check" in "checkpoint"). A section counts with its text, its
heading and its page's title; only where no section has every word are those shown that have most of them. No
index is kept: all pages together are read in a few milliseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from omium.manual.links import Place
from omium.manual.outline import Heading, Section, plain_text

if TYPE_CHECKING:
    from omium.manual.pages import Manual, Page

HITS_MAX: Final = 30
WORDS_MAX: Final = 12
EXCERPT_CHARACTERS: Final = 160
_WORD: Final = re.compile(r"[\w@$/.:-]+")
_IN_HEADING: Final = 8.0
_IN_TITLE: Final = 4.0
_ADJACENT: Final = 3.0
_REFERENCE: Final = "Reference"
_OF_REFERENCE: Final = 0.7  # explanations come before the lists that everything stands in
_TYPICAL_CHARACTERS: Final = 900  # of a section; longer ones hold any word sooner


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that was found. `excerpt` is plain text around the first words; `score` orders hits."""

    page: str
    title: str
    heading: str
    anchor: str
    excerpt: str
    score: float

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.page, self.anchor)


@dataclass(frozen=True, slots=True)
class _Candidate:
    page: Page
    section: Section
    counts: tuple[tuple[int, int, int], ...]  # of each word: in the text, the heading, the title
    adjacent: bool


def split_words(asked: str) -> list[str]:
    """Return the words that are looked for, in lower case."""
    found = (word.strip(".:-/").lower() for word in _WORD.findall(asked))
    return list(dict.fromkeys(word for word in found if word))[:WORDS_MAX]


def search(manual: Manual, asked: str, *, hits_max: int = HITS_MAX) -> list[Hit]:
    """Return at most `hits_max` places for the words in `asked`, the best first; none for no words."""
    words = split_words(asked)
    if not words:
        return []
    patterns = [re.compile(rf"(?<![^\W_]){re.escape(word)}") for word in words]
    phrase = re.compile(r"[\W_]+".join(map(re.escape, words))) if len(words) > 1 else None
    candidates = list(_list_candidates(manual, patterns, phrase))
    most = max((_held(each) for each in candidates), default=0)
    chosen = [each for each in candidates if _held(each) == most]
    rarity = [
        math.log(1 + len(candidates) / (1 + sum(1 for each in candidates if any(each.counts[at]))))
        for at in range(len(words))
    ]
    hits = [_make_hit(each, patterns, phrase, rarity) for each in chosen]
    hits.sort(key=lambda hit: -hit.score)  # stable: the index's order decides between equals
    return hits[:hits_max]


def mark_words(text: str, asked: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of `text`, each with whether it is one of the words that were looked for."""
    words = sorted(split_words(asked), key=len, reverse=True)
    if not words:
        yield text, False
        return
    pattern = re.compile(rf"((?<![^\W_])(?:{'|'.join(map(re.escape, words))}))", re.IGNORECASE)
    for number, piece in enumerate(pattern.split(text)):
        if piece:
            yield piece, number % 2 == 1


def _list_candidates(
    manual: Manual, patterns: Sequence[re.Pattern[str]], phrase: re.Pattern[str] | None
) -> Iterator[_Candidate]:
    for page in manual.pages:
        title = page.title.lower()
        in_title = [_count(pattern, title) for pattern in patterns]
        for section in page.sections:
            heading = section.heading.text.lower() if section.heading and section.heading.level > 1 else ""
            text = section.text.lower()
            counts = tuple(
                (_count(pattern, text), _count(pattern, heading), of_title)
                for pattern, of_title in zip(patterns, in_title, strict=True)
            )
            if any(in_text or in_heading for in_text, in_heading, _ in counts) or (
                any(in_title) and _is_title(section.heading)
            ):
                adjacent = phrase is not None and bool(phrase.search(f"{heading}\n{text}"))
                yield _Candidate(page, section, counts, adjacent)


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def _held(candidate: _Candidate) -> int:
    return sum(1 for counts in candidate.counts if any(counts))


def _is_title(heading: Heading | None) -> bool:
    return heading is None or heading.level == 1


def _make_hit(
    found: _Candidate,
    patterns: Sequence[re.Pattern[str]],
    phrase: re.Pattern[str] | None,
    rarity: Sequence[float],
) -> Hit:
    heading, text = found.section.heading, found.section.text
    length = 0.5 + 0.5 * max(len(text), 100) / _TYPICAL_CHARACTERS
    score = 0.0
    for (in_text, in_heading, in_title), rare in zip(found.counts, rarity, strict=True):
        score += rare * (in_text / (in_text + length) * 2)
        score += rare * _IN_HEADING * bool(in_heading) / math.sqrt(1 + _words_in(heading))
        score += rare * _IN_TITLE * bool(in_title) * (1.0 if _is_title(heading) else 0.3)
    if found.adjacent:
        score += _ADJACENT
    if found.page.group == _REFERENCE:
        score *= _OF_REFERENCE
    return Hit(
        page=found.page.name,
        title=found.page.title,
        heading=heading.text if heading else found.page.title,
        anchor="" if heading is None or heading.level == 1 else heading.anchor,
        excerpt=_excerpt(text, patterns, phrase),
        score=round(score, 3),
    )


def _words_in(heading: Heading | None) -> int:
    return len(heading.text.split()) if heading else 1


def _excerpt(text: str, patterns: Sequence[re.Pattern[str]], phrase: re.Pattern[str] | None) -> str:
    plain = plain_text(text.replace("```", ""))
    lower = plain.lower()
    first = phrase.search(lower) if phrase is not None else None
    if first is None:
        found = [match for pattern in patterns if (match := pattern.search(lower))]
        first = min(found, key=lambda match: match.start(), default=None)
    at = first.start() if first is not None else 0
    start = 0 if at < EXCERPT_CHARACTERS // 3 else plain.rfind(" ", 0, at - EXCERPT_CHARACTERS // 4) + 1
    end = start + EXCERPT_CHARACTERS
    if end < len(plain):
        end = max(plain.rfind(" ", start, end), start + EXCERPT_CHARACTERS // 2)
    return f"{'… ' if start else ''}{plain[start:end].strip()}{' …' if end < len(plain) else ''}"
