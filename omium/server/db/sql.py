"""Sql: one statement, written once, for SQLite and PostgreSQL.

Owns the dialect tokens and how named parameters are spelled for each driver. Does not run anything
(sqlite.py, postgres.py) and knows no table. What may be written is in docs/architecture.md, "SQL once, two
databases".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeVar, get_args

Dialect = Literal["sqlite", "postgres"]
T = TypeVar("T")

# The whole dialect. `clustered` keeps a table's rows in its primary key on SQLite; PostgreSQL has no such
# thing. SQLite orders text by its bytes, so on PostgreSQL every text column says so too.
TOKENS: Final[dict[str, dict[Dialect, str]]] = {
    "int64": {"sqlite": "INTEGER", "postgres": "BIGINT"},
    "bytes": {"sqlite": "BLOB", "postgres": "BYTEA"},
    "text": {"sqlite": "TEXT", "postgres": 'TEXT COLLATE "C"'},
    "strict": {"sqlite": "STRICT", "postgres": ""},
    "clustered": {"sqlite": "STRICT, WITHOUT ROWID", "postgres": ""},
    "for_update": {"sqlite": "", "postgres": "FOR UPDATE"},
    "skip_locked": {"sqlite": "", "postgres": "FOR UPDATE SKIP LOCKED"},
    "hold": {"sqlite": "abs", "postgres": "pg_advisory_xact_lock"},  # a number, where no row could be locked
}

_LEXER = re.compile(
    r"""
      (?P<quoted>   '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<comment>  --[^\n]* | /\*.*?\*/ )
    | (?P<cast>     :: )
    | :(?P<parameter> [a-z][a-z0-9_]* ) (?P<null_test> \s+ (?i: IS (?: \s+ NOT )? \s+ NULL ) \b )?
    | \{(?P<token>  [^{}\n]* )\}
    """,
    re.VERBOSE | re.DOTALL,
)


class Sql:
    """A statement for both databases: `Sql("SELECT id FROM steps WHERE path = :path {for_update}")`.

    Parameters are `:name`; `{int64}`, `{bytes}`, `{text}`, `{strict}`, `{clustered}`, `{for_update}`,
    `{skip_locked}` and `{hold}` are replaced for the database at hand. Braces and colons inside quotes are
    left alone.
    Make one object per statement, at module level: it is rendered once, prepared once, and its columns are
    checked once. Raises `ValueError` for an unknown token and for `::`, which only PostgreSQL understands.
    """

    __slots__ = ("_rendered", "checked_rows", "names", "parameters", "places", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.parameters = frozenset(_check(text))
        self.places = tuple(name for name, _ in _places(text))  # whose value stands at $1, $2, ...
        self.names = tuple(dict.fromkeys(self.places))  # whose value stands at ?1, ?2, ...
        self.checked_rows: set[type[object]] = set()  # row classes that were compared with the columns
        self._rendered: dict[Dialect, str] = {}

    def render(self, dialect: Dialect) -> str:
        """Return the statement as `dialect` takes it: `?1` for the first of `names`, `$1` of `places`.

        By number for SQLite, too: sqlite3 asks for the name of every single parameter, and lets go of the
        interpreter each time, so a statement with two dozen of them stood back two dozen times.
        """
        rendered = self._rendered.get(dialect)
        if rendered is None:
            rendered = self._rendered[dialect] = _render(self.text, dialect, parameters=True)
        return rendered

    def values(self, params: Mapping[str, T]) -> tuple[T, ...]:
        """Return what stands at ?1, ?2, ... on SQLite."""
        return tuple(map(params.__getitem__, self.names))

    def __repr__(self) -> str:
        return f"Sql({' '.join(self.text.split())!r})"


def render_script(text: str, dialect: Dialect) -> str:
    """Return a migration's `text` with its tokens replaced; it has no parameters, so `:` stays."""
    return _render(text, dialect, parameters=False)


def dialects() -> tuple[Dialect, ...]:
    """Return both dialects, SQLite first."""
    return get_args(Dialect)


def _check(text: str) -> list[str]:
    names = []
    for match in _LEXER.finditer(text):
        if match["cast"]:
            raise ValueError(f"`::` is understood by PostgreSQL only; use CAST(... AS ...) in {text!r}")
        if match["token"] is not None and match["token"] not in TOKENS:
            raise ValueError(f"unknown token {match[0]} in {text!r}; known are {', '.join(sorted(TOKENS))}")
        if match["parameter"]:
            names.append(match["parameter"])
    return names


def _places(text: str) -> list[tuple[str, bool]]:
    """Return each parameter in the order in which it is met first, and whether it is tested for NULL there.

    PostgreSQL finds no type for a bare parameter in `:name IS NULL` when the value is None, and a cast of the
    parameter itself would also change its type in the rest of the statement: so the test has its own place.
    """
    found = [(match["parameter"], bool(match["null_test"])) for match in _LEXER.finditer(text)]
    return list(dict.fromkeys(place for place in found if place[0]))


def _render(text: str, dialect: Dialect, *, parameters: bool) -> str:
    places = _places(text) if parameters else []
    names = list(dict.fromkeys(name for name, _ in places))

    def replace(match: re.Match[str]) -> str:
        if match["token"] is not None:
            return TOKENS[match["token"]][dialect] if match["token"] in TOKENS else match[0]
        if match["parameter"] is None or not parameters:
            return match[0]
        test = match["null_test"] or ""
        if dialect == "sqlite":
            return f"?{names.index(match['parameter']) + 1}{test}"
        number = places.index((match["parameter"], bool(test))) + 1
        return f"CAST(${number} AS TEXT){test}" if test else f"${number}"

    return _LEXER.sub(replace, text)
