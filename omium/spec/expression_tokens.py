"""Tokens of an expression: just enough of CEL's lexical form to say what an expression reads.

Owns the words, strings and brackets. The grammar is the library's, which expressions.py asks after this has
found nothing to refuse. What the language has and workflows do not need is refused here: comments, bytes,
strings in triple quotes, optional syntax, messages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

Kind = Literal["name", "string", "number", "sign"]

KEYWORDS: Final = frozenset({"true", "false", "null", "in"})

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<string>[rR]?(?:"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*'))
  | (?P<number>(?:0[xX][0-9A-Fa-f]+|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE,
)


class ExpressionInvalid(ValueError):
    """The expression is not accepted; the message is a sentence that says why and where."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `at` counts characters from 1."""

    kind: Kind
    text: str
    at: int

    @property
    def is_operand_end(self) -> bool:
        """Say whether a value may end with it, so that `.` and `[` behind it go into that value."""
        if self.kind == "name":
            return self.text not in KEYWORDS
        return self.kind == "string" or self.text in {")", "]", "}"}

    def literal(self) -> str | None:
        """Return the value of a string without escapes, else None."""
        if self.kind != "string" or self.text[0] in "rR" or "\\" in self.text:
            return None
        return self.text[1:-1]


def read_tokens(source: str) -> list[Token]:
    """Return the tokens of `source`; raises `ExpressionInvalid` where a character begins none."""
    found: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise ExpressionInvalid(_say_unread(source, position))
        kind, text = match.lastgroup, match.group()
        touching = bool(found) and found[-1].at - 1 + len(found[-1].text) == position
        if kind == "string" and touching and found[-1].kind in {"string", "name"}:
            raise ExpressionInvalid(
                f"At character {position + 1}: a string stands in one pair of quotes and has no letter but r"
                " before it."
            )
        if kind in {"name", "number"} and touching and found[-1].kind in {"name", "number"}:
            raise ExpressionInvalid(f"At character {position + 1}: a sign is missing before {text[:40]}.")
        if kind in {"name", "string", "number", "sign"}:
            found.append(Token(cast("Kind", kind), text, position + 1))
        position = match.end()
    return found


def _say_unread(source: str, position: int) -> str:
    rest = source[position]
    if rest in "\"'":
        return f"At character {position + 1}: the string has no end on its line."
    remedy = {
        "=": " Compare with ==.",
        "&": " Write && for and.",
        "|": " Write || for or.",
        "`": " Write a name with other characters as an index: nodes['my-node'].",
        "{": " Templates have no place in expressions: write the path itself.",
        "$": " Write the path itself, such as output.score.",
    }.get(rest, "")
    return f"At character {position + 1}: {rest!a} has no meaning in an expression.{remedy}"
