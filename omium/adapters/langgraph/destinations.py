"""Destinations: where a router or a node may go, as far as its code says so.

Owns the reading of `return "write"`, `Send("worker", ...)` and `Command(goto=...)` out of functions. Nothing
is called. What cannot be read is told (`is_known` is False), so that an exporter says `dynamic` and does
not guess.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from langgraph.types import Command, Send, interrupt

from omium.adapters.langgraph.reading_code import Code

_DEPTH_MAX = 4  # functions that call functions
_KEEPS_ITEMS = frozenset({"list", "tuple", "set", "sorted"})


@dataclass(frozen=True, slots=True)
class Destinations:
    """Names of nodes, LangGraph's end among them."""

    targets: frozenset[str] = frozenset()
    sends: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()
    """Of `Command(graph=Command.PARENT)`: nodes of the graph around this one."""
    is_known: bool = True
    """Nothing else is possible."""
    may_go: bool = False
    """The code makes commands that go somewhere."""
    may_leave: bool = False
    """The code makes commands for the graph around this one that cannot be read."""

    def __or__(self, other: Destinations) -> Destinations:
        return Destinations(
            self.targets | other.targets,
            self.sends | other.sends,
            self.parents | other.parents,
            self.is_known and other.is_known,
            self.may_go or other.may_go,
            self.may_leave or other.may_leave,
        )


UNKNOWN = Destinations(is_known=False)


def read_router(target: Any, *, depth: int = 0) -> Destinations:
    """Return what a function of conditional edges may return."""
    code = Code.of(target)
    tree = code.tree()
    if tree is None or depth > _DEPTH_MAX:
        return UNKNOWN
    reader = _Reader(code, tree, depth)
    found = reader.read_all(_returned(tree))
    sends = frozenset(name for each in _calls(tree) if reader.is_(each, Send) for name in reader.sent(each))
    return found | Destinations(sends=sends)


def read_commands(target: Any, *, depth: int = 0) -> Destinations:
    """Return where the commands that a node's function makes may go, those of its module's functions too."""
    code = Code.of(target)
    tree = code.tree()
    if tree is None:  # typed into a shell, say: then its bytecode tells whether there is a command at all
        return UNKNOWN if code.names("Command", "Send") else Destinations()
    if depth > _DEPTH_MAX:
        return Destinations()
    reader = _Reader(code, tree, depth)
    found = Destinations()
    for call in _calls(tree):
        if reader.is_(call, Command):
            found |= reader.command(call)
        elif (called := reader.own_function(call)) is not None and called is not code.function:
            found |= read_commands(called, depth=depth + 1)
    return found


def may_interrupt(target: Any) -> bool:
    """Say whether a node's function calls `interrupt(...)`."""
    code = Code.of(target)
    tree = code.tree()
    if tree is None:
        return False
    reader = _Reader(code, tree, 0)
    return any(reader.is_(call, interrupt) for call in _calls(tree))


def _returned(tree: ast.AST) -> list[ast.expr]:
    if isinstance(tree, ast.Lambda):
        return [tree.body]
    return [node.value for node in _own(tree) if isinstance(node, ast.Return) and node.value is not None]


def _own(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside of it."""
    waiting = list(ast.iter_child_nodes(tree))
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


class _Reader:
    """Reads expressions of one function."""

    def __init__(self, code: Code, tree: ast.AST, depth: int) -> None:
        self._code = code
        self._tree = tree
        self._depth = depth
        self._reading: set[str] = set()

    def is_(self, call: ast.Call, kind: Callable[..., Any]) -> bool:
        """Say whether `call` calls `kind`."""
        named = call.func.value if isinstance(call.func, ast.Subscript) else call.func  # Command[...](...)
        if isinstance(named, ast.Attribute):
            return named.attr == kind.__name__
        if not isinstance(named, ast.Name):
            return False
        found = self._code.resolve(named.id)
        return found is kind or (found is None and named.id == kind.__name__)

    def own_function(self, call: ast.Call) -> FunctionType | None:
        """Return the function of the same module that `call` calls, if it is one."""
        found = self._code.resolve(call.func.id) if isinstance(call.func, ast.Name) else None
        own = self._code.function
        if isinstance(found, FunctionType) and own is not None and found.__module__ == own.__module__:
            return found
        return None

    def sent(self, call: ast.Call) -> frozenset[str]:
        return (
            self.read(argument).targets if (argument := _argument(call, "node")) is not None else frozenset()
        )

    def command(self, call: ast.Call) -> Destinations:
        """Return where one `Command(...)` goes."""
        if any(keyword.arg is None for keyword in call.keywords):  # Command(**made_elsewhere)
            return Destinations(is_known=False, may_go=True)
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        goto = given.get("goto")
        if goto is None:
            return Destinations()
        found = self.read(goto)
        if "graph" in given:
            return Destinations(
                parents=found.targets | found.sends, may_go=True, may_leave=not found.is_known
            )
        return found | Destinations(may_go=True)

    def read_all(self, expressions: Iterable[ast.expr]) -> Destinations:
        found = Destinations()
        for each in expressions:
            found |= self.read(each)
        return found

    def read(self, value: ast.expr) -> Destinations:
        """Return the names that an expression may be."""
        match value:
            case ast.Constant(value=str(name)):
                return Destinations(frozenset({name}))
            case ast.Constant(value=None):
                return Destinations()
            case ast.Name(id=name):
                return self._name(name)
            case ast.IfExp():
                return self.read(value.body) | self.read(value.orelse)
            case ast.BoolOp():
                return self.read_all(value.values)
            case ast.List() | ast.Tuple() | ast.Set():
                return self.read_all(value.elts)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self.read(value.elt)
            case ast.BinOp(op=ast.Add()):
                return self.read(value.left) | self.read(value.right)
            case ast.Starred() | ast.Await() | ast.NamedExpr():
                return self.read(value.value)
            case ast.Subscript(value=ast.Dict() as table):
                return self.read_all(table.values)
            case ast.Call():
                return self._call(value)
            case _:
                return UNKNOWN

    def _call(self, call: ast.Call) -> Destinations:
        if self.is_(call, Send):
            argument = _argument(call, "node")
            found = UNKNOWN if argument is None else self.read(argument)
            return Destinations(sends=found.targets, is_known=found.is_known)
        if isinstance(call.func, ast.Name) and call.func.id in _KEEPS_ITEMS and len(call.args) == 1:
            return self.read(call.args[0])
        called = self.own_function(call)
        return UNKNOWN if called is None else read_router(called, depth=self._depth + 1)

    def _name(self, name: str) -> Destinations:
        given = list(self._given_to(name))
        if given:
            if name in self._reading:
                return Destinations()
            self._reading.add(name)
            try:
                return self.read_all(given)
            finally:
                self._reading.discard(name)
        if self._is_local(name):
            return UNKNOWN
        found = self._code.resolve(name)
        if isinstance(found, str):
            return Destinations(frozenset({found}))
        if isinstance(found, list | tuple) and all(isinstance(each, str) for each in found):
            return Destinations(frozenset(found))
        return UNKNOWN

    def _given_to(self, name: str) -> Iterator[ast.expr]:
        """Yield every value that a local name gets, items that are appended to it too."""
        for node in _own(self._tree):
            match node:
                case ast.Assign(targets=targets) if any(_is_name(each, name) for each in targets):
                    yield node.value
                case ast.AnnAssign(value=ast.expr()) | ast.AugAssign() | ast.NamedExpr() if _is_name(
                    node.target, name
                ):
                    assert node.value is not None
                    yield node.value
                case ast.Call(
                    func=ast.Attribute(value=owner, attr="append" | "extend" | "add"), args=[one]
                ) if _is_name(owner, name):
                    yield one
                case _:
                    continue

    def _is_local(self, name: str) -> bool:
        function = self._code.function
        if function is not None and name in function.__code__.co_varnames:
            return True
        loops = (node.target for node in ast.walk(self._tree) if isinstance(node, ast.comprehension))
        return any(_is_name(node, name) for target in loops for node in ast.walk(target))


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _argument(call: ast.Call, name: str) -> ast.expr | None:
    """Return the first argument of `call`, or the one that is called `name`."""
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
