"""Expressions: the conditions of edges, in CEL, as far as they can be judged when they are saved.

    check_expression    every reason why an expression is not accepted
    list_paths          which values it reads, as paths such as ("output", "score")
    project             those values and nothing else, which is all that an evaluation gets to see

Owns the limits that need no evaluation: size, names, functions, comprehensions (one inside another would let
a short expression run for long). The grammar is the library's (docs/decisions/170-expressions.md). Evaluating
is omium/server/builtin/expressions.py, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from omium.jsonvalue import JsonValue
from omium.spec.expression_tokens import KEYWORDS, ExpressionInvalid, Token, read_tokens
from omium.spec.references import MISSING, Lookup, Path

SOURCE_BYTES_MAX: Final = 1_024
LIST_ITEMS_MAX: Final = 1_000
"""Longest list that an expression gets to see or may give back."""
NESTING_MAX: Final = 32

COMPREHENSIONS: Final = frozenset({"all", "exists", "existsOne", "exists_one", "filter", "map"})
FUNCTIONS: Final = COMPREHENSIONS | frozenset(
    {
        *("has", "size", "contains", "startsWith", "endsWith", "matches", "type", "dyn"),
        *("int", "uint", "double", "string", "duration", "timestamp"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)


@dataclass(slots=True)
class _Bracket:
    """An open bracket: what closes it, and the variable that it binds if a comprehension opened it."""

    close: str
    comprehension: bool = False
    variable: str = ""


@dataclass(slots=True)
class _Reading:
    """What one walk over the tokens has found."""

    paths: dict[Path, int] = field(default_factory=dict)
    """Each path that is read, with the character where it is first read."""
    problems: list[str] = field(default_factory=list)


def check_expression(source: str, names: Iterable[str]) -> list[str]:
    """Return a sentence for each reason why `source` is not accepted; none: it is.

    `names` are the beginnings of what it may read, such as "output" or "nodes.write.output". Evaluates
    nothing.
    """
    try:
        reading = _read(source)
    except ExpressionInvalid as refused:
        return [str(refused)]
    allowed = sorted({tuple(name.split(".")) for name in names})
    problems = list(reading.problems)
    for path, at in reading.paths.items():
        if not any(path[: len(name)] == name for name in allowed):
            problems.append(_say_unknown(path, at, allowed))
    return problems or _list_syntax_problems(source)


def list_paths(source: str) -> list[Path]:
    """Return the paths that `source` reads, none inside of another; raises `ExpressionInvalid`."""
    reading = _read(source)
    if reading.problems:
        raise ExpressionInvalid(reading.problems[0])
    whole: list[Path] = []
    for path in sorted(reading.paths):  # a beginning sorts before what it begins
        if not (whole and path[: len(whole[-1])] == whole[-1]):
            whole.append(path)
    return whole


def project(paths: Iterable[Path], lookup: Lookup) -> dict[str, JsonValue]:
    """Return the values of `paths`, nested as they are named, and nothing beside them.

    What is not there is left out, so that `has(output.x)` is false and reading it is an error of the
    expression.
    """
    found: dict[str, JsonValue] = {}
    for path in paths:
        inner = found
        for name in path[:-1]:
            nested = inner.setdefault(name, {})
            assert isinstance(nested, dict)  # no path is inside of another
            inner = nested
        value = lookup(path)
        if value is not MISSING:
            inner[path[-1]] = value
    return found


def _read(source: str) -> _Reading:
    """Walk over the tokens once; raises `ExpressionInvalid` where nothing further can be told."""
    try:
        size = len(source.encode())
    except UnicodeEncodeError:
        raise ExpressionInvalid(
            "The expression has a character that is none: half of a surrogate pair."
        ) from None
    if size > SOURCE_BYTES_MAX:
        raise ExpressionInvalid(
            f"The expression has {size:,} bytes; {SOURCE_BYTES_MAX:,} are allowed."
            " Let a node decide what needs more."
        )
    tokens = read_tokens(source)
    if not tokens:
        raise ExpressionInvalid("The expression is empty.")
    reading = _Reading()
    brackets: list[_Bracket] = []
    position = 0
    while position < len(tokens):
        position = _take(tokens, position, brackets, reading)
    if brackets:
        raise ExpressionInvalid(f"A {brackets[-1].close} is missing at the end.")
    return reading


def _take(tokens: list[Token], position: int, brackets: list[_Bracket], reading: _Reading) -> int:
    """Read what begins at `position`, and return where the next begins."""
    token = tokens[position]
    follower = tokens[position + 1].text if position + 1 < len(tokens) else ""
    before = tokens[position - 1] if position else None
    if token.kind == "sign":
        _take_sign(token, before, brackets)
        return position + 1
    if token.kind != "name" or token.text in KEYWORDS:
        return position + 1
    if follower == "{":
        raise ExpressionInvalid(
            f"At character {token.at}: messages such as {token.text}{{...}} do not exist here."
        )
    member = before is not None and before.text == "."
    if follower == "(":
        return _take_call(tokens, position, brackets, reading, member=member)
    if member or any(bracket.variable == token.text for bracket in brackets):
        return position + 1
    path, end = _read_path(tokens, position)
    reading.paths.setdefault(path, token.at)
    return end


def _take_sign(token: Token, before: Token | None, brackets: list[_Bracket]) -> None:
    closing = {"(": ")", "[": "]", "{": "}"}.get(token.text)
    if closing is not None:
        brackets.append(_Bracket(closing))
        if len(brackets) > NESTING_MAX:
            raise ExpressionInvalid(f"At character {token.at}: brackets stand more than {NESTING_MAX} deep.")
    elif token.text in {")", "]", "}"}:
        if not brackets or brackets.pop().close != token.text:
            raise ExpressionInvalid(f"At character {token.at}: {token.text} closes nothing.")
    elif token.text == "." and (before is None or not before.is_operand_end):
        raise ExpressionInvalid(f"At character {token.at}: a value is missing before the dot.")


def _take_call(
    tokens: list[Token], position: int, brackets: list[_Bracket], reading: _Reading, *, member: bool
) -> int:
    token = tokens[position]
    if token.text not in FUNCTIONS:
        reading.problems.append(
            f"At character {token.at}: there is no function {token.text[:40]}; there are: "
            f"{', '.join(sorted(FUNCTIONS))}."
        )
    opened = _Bracket(")")
    if token.text in COMPREHENSIONS and member:
        if any(bracket.comprehension for bracket in brackets):
            reading.problems.append(
                f"At character {token.at}: {token.text} stands inside of another one; one may follow another,"
                " as in items.filter(x, ...).map(x, ...), but not run for each of its items."
            )
        opened.comprehension = True
        if (
            position + 3 < len(tokens)
            and tokens[position + 2].kind == "name"
            and tokens[position + 3].text == ","
        ):
            opened.variable = tokens[position + 2].text
    brackets.append(opened)
    if len(brackets) > NESTING_MAX:
        raise ExpressionInvalid(f"At character {token.at}: brackets stand more than {NESTING_MAX} deep.")
    return position + 2


def _read_path(tokens: list[Token], position: int) -> tuple[Path, int]:
    """Return the path that begins at `position`, as far as its parts are known without evaluating."""
    path = [tokens[position].text]
    position += 1
    while position + 1 < len(tokens):
        sign, part = tokens[position].text, tokens[position + 1]
        after = tokens[position + 2].text if position + 2 < len(tokens) else ""
        if sign == "." and part.kind == "name" and after not in {"(", "{"}:
            path.append(part.text)
            position += 2
        elif sign == "[" and after == "]" and (key := part.literal()) is not None:
            path.append(key)
            position += 3
        else:
            break
    return tuple(path), position


def _say_unknown(path: Path, at: int, allowed: list[Path]) -> str:
    known = ", ".join(".".join(name) for name in allowed[:12]) or "nothing"
    more = ", ..." if len(allowed) > 12 else ""
    return f"At character {at}: {'.'.join(path)[:100]} cannot be read here; there are: {known}{more}."


def _list_syntax_problems(source: str) -> list[str]:
    import cel  # noqa: PLC0415  # loads a command line, too; only who checks an expression pays for it

    try:
        cel.compile(source)
    except ValueError as error:
        first = str(error).partition("ERROR: <input>:")[2].partition("\n")[0]
        place, _, reason = first.partition(": ")
        where = f"At character {place.partition(':')[2]}" if place else "Somewhere"
        return [f"{where}: the expression cannot be read: {(reason or 'syntax error')[:200]}."]
    return []
