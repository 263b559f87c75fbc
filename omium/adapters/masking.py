"""Masking: nothing that looks like a secret leaves through an exported document.

Owns what is taken out of source text, where a key may stand in forms that only a program has
(`password: str = "..."`, `os.getenv("API_KEY", "...")`, headers), defaults of parameters that are called like
secrets, and the last look at the whole document, which is the one that an import takes (omium/redact).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from omium.jsonvalue import JsonValue
from omium.redact import REDACTED, redact
from omium.redact.names import Strength, judge_name

_USER: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s@'\"]+@")
_SETS: Final = ("set", "put", "add", "store", "save")
_HEADERS: Final = re.compile(r"headers?$", re.IGNORECASE)


def parse(source: str) -> ast.Module | None:
    """Return the tree of a program's text, or None where it is none."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: too deep for the parser
        return None


def mask_source(source: str) -> str:
    """Return a program's text without what stands as a literal under a name of a secret, or in a header."""
    plain = _USER.sub(r"\g<scheme>", source)
    tree = parse(plain)
    if tree is None:  # a part of a line, such as a lambda among arguments
        return str(redact(plain)[0])
    lines = plain.splitlines(keepends=True)
    places = sorted({place for node in _walk(tree) for place in _secrets(node)}, reverse=True)
    for first, start, last, end in places:
        head = lines[first].encode()[:start].decode()
        tail = lines[last].encode()[end:].decode()
        lines[first : last + 1] = [f'{head}"{REDACTED}"{tail}']
    return str(redact("".join(lines))[0])


def mask_document(document: Mapping[str, JsonValue], secrets: Collection[str] = ()) -> dict[str, JsonValue]:
    """Return the document as people may see it, without `secrets` wherever their text stands."""
    masked, _ = redact(_without_users(_without_defaults(dict(document))), set(secrets))
    assert isinstance(masked, dict), "a document stays one"
    return masked


def _without_defaults(value: JsonValue) -> JsonValue:
    """Mask what a JSON Schema gives to a parameter with a name of a secret that has no value."""
    if isinstance(value, list):
        return [_without_defaults(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _without_defaults(item) for name, item in value.items()}
    properties = made.get("properties")
    for name, schema in properties.items() if isinstance(properties, dict) else ():
        if isinstance(schema, dict) and _is_secret(name) and isinstance(schema.get("default"), str):
            schema["default"] = REDACTED
    return made


def _without_users(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _USER.sub(r"\g<scheme>", value) if "@" in value else value
    if isinstance(value, list):
        return [_without_users(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_users(item) for name, item in value.items()}
    return value


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree but those inside of f-strings, whose places are wrong before Python 3.12."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.JoinedStr):
            waiting += ast.iter_child_nodes(node)


def _secrets(node: ast.AST) -> Iterator[tuple[int, int, int, int]]:
    """Yield the places of literals that a statement or a call gives to a name of a secret."""
    pairs: list[tuple[str | None, ast.AST | None]] = []
    match node:
        case ast.Assign():
            pairs = [pair for target in node.targets for pair in _unpack(target, node.value)]
        case ast.Compare():
            pairs = [(_name(node.left), value) for value in node.comparators]
        case ast.Call():
            pairs = _list_given(node)
        case ast.AnnAssign() | ast.NamedExpr():
            pairs = [(_name(node.target), node.value)]
        case ast.keyword():
            pairs = [(node.arg, node.value)]
        case ast.Dict():
            pairs = [(_text(key), value) for key, value in zip(node.keys, node.values, strict=True)]
        case ast.arguments():
            named = [*node.posonlyargs, *node.args]
            with_default = named[len(named) - len(node.defaults) :]
            pairs = [(arg.arg, value) for arg, value in zip(with_default, node.defaults, strict=True)]
            pairs += [(arg.arg, value) for arg, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
        case _:
            return
    for name, value in pairs:
        if name is None or value is None:
            continue
        if _HEADERS.search(name) and isinstance(value, ast.Dict):
            yield from (place for each in value.values for place in _literals(each))
        elif judge_name(name) is not Strength.NONE:  # whoever reads code misses a harmless token less
            yield from _literals(value)


def _unpack(target: ast.AST, value: ast.AST) -> list[tuple[str | None, ast.AST | None]]:
    """Return the names of an assignment with what each of them is given."""
    sequences = (ast.Tuple, ast.List)
    if isinstance(target, sequences) and isinstance(value, sequences) and len(target.elts) == len(value.elts):
        pairs = zip(target.elts, value.elts, strict=True)
        return [pair for one, given in pairs for pair in _unpack(one, given)]
    return [(_name(target), value)]


def _list_given(call: ast.Call) -> list[tuple[str | None, ast.AST | None]]:
    """Return what follows the name of a secret among a call's arguments: `getenv("API_KEY", "...")`.

    And all that is given to a function that sets one: `set_password("service", "...")`.
    """
    named = next((at for at, each in enumerate(call.args) if _is_secret(_text(each))), None)
    if named is not None:
        return [(_text(call.args[named]), each) for each in call.args[named + 1 :]]
    name = _name(call.func)
    return [(name, each) for each in call.args] if name is not None and name.startswith(_SETS) else []


def _is_secret(name: str | None) -> bool:
    return name is not None and judge_name(name) is not Strength.NONE


def _name(target: ast.AST) -> str | None:
    match target:
        case ast.Name():
            return target.id
        case ast.Attribute():
            return target.attr
        case ast.Subscript():
            return _text(target.slice)
        case _:
            return None


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _literals(value: ast.AST) -> Iterator[tuple[int, int, int, int]]:
    """Yield (line, column, line, column) of a text, or of the texts in a list; columns are bytes."""
    match value:
        case ast.Constant(value=str() | bytes()) | ast.JoinedStr():
            assert value.end_lineno is not None
            assert value.end_col_offset is not None
            yield (value.lineno - 1, value.col_offset, value.end_lineno - 1, value.end_col_offset)
        case ast.List() | ast.Tuple() | ast.Set():
            yield from (place for each in value.elts for place in _literals(each))
        case ast.BinOp():
            yield from (*_literals(value.left), *_literals(value.right))
        case ast.Call():
            yield from (place for each in value.args for place in _literals(each))
        case _:
            return
