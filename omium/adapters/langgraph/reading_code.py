"""Reading code: the user's function behind a runnable, its name and source, and what it refers to.

Owns the way from LangChain's wrappers to the function, and never calls what it finds. Where a function goes
to is destinations.py, which models it uses is models_used.py.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from langchain_core.runnables import Runnable, RunnableBinding, RunnableSequence

from omium.adapters.masking import parse

SOURCE_CHARACTERS_MAX = 20_000
"""Of what is shown."""
_LAMBDA_CHARACTERS_MAX = 2_000
_WRAPPERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Code:
    """A callable as code: `function` is None where there is no Python function to look into."""

    target: Any
    function: FunctionType | None

    @staticmethod
    def of(target: Any) -> Code:
        """Return the code of a runnable, a function, a method, a partial or an object with `__call__`."""
        target = _unwrap(target)
        found = target
        for _ in range(_WRAPPERS_MAX):  # a mock has wrappers without end
            if isinstance(found, FunctionType):
                return Code(target, inspect.unwrap(found))
            if isinstance(found, functools.partial):
                found = found.func
            elif inspect.ismethod(found):
                found = found.__func__
            elif hasattr(found, "__wrapped__"):
                found = found.__wrapped__
            elif inspect.ismethod(call := getattr(found, "__call__", None)):  # noqa: B004  # its function
                found = call.__func__
            else:
                break
        return Code(target, None)

    @property
    def ref(self) -> str:
        """`module:qualname`; of an object with `__call__`, its class."""
        named = self.target
        while isinstance(named, functools.partial):
            named = named.func
        if not hasattr(named, "__qualname__"):
            named = type(named)
        return f"{getattr(named, '__module__', None) or '?'}:{named.__qualname__}"[:500]

    @property
    def source(self) -> str:
        """The text of the function for people; empty where nobody has it."""
        return self._text()[:SOURCE_CHARACTERS_MAX]

    def _text(self) -> str:
        try:
            text = inspect.getsource(self.function) if self.function is not None else ""
        except (OSError, TypeError):
            return ""
        return textwrap.dedent(text).strip()

    def tree(self) -> ast.AST | None:
        """Return the parsed function, or None: of a lambda, the expression that holds it."""
        source = self._text()
        for text in (source, f"({source})", f"({source}"):
            tree = parse(text)
            if tree is not None:
                return self._own(tree)
        return self._lambda(source)

    def _lambda(self, source: str) -> ast.AST | None:
        """Return a lambda out of a line that is no statement of its own, such as one of a longer call."""
        at = source.find("lambda")
        if not 0 <= at < len(source) <= at + _LAMBDA_CHARACTERS_MAX:
            return None
        for end in range(len(source), at, -1):
            tree = parse(source[at:end])
            if tree is not None:
                return self._own(tree)
        return None

    def _own(self, tree: ast.AST) -> ast.AST | None:
        name = self.function.__code__.co_name if self.function is not None else ""
        kinds = (ast.Lambda,) if name == "<lambda>" else (ast.FunctionDef, ast.AsyncFunctionDef)
        found = [node for node in ast.walk(tree) if isinstance(node, kinds)]
        if name == "<lambda>" and len(found) != 1:
            return None  # two on one line: which of them is ours is not written anywhere
        return found[0] if found else None

    def names(self, *wanted: str) -> bool:
        """Say whether the function refers to one of these names, which its bytecode tells as well."""
        return self.function is not None and not {*wanted}.isdisjoint(_names(self.function.__code__))

    def resolve(self, name: str) -> Any:
        """Return what `name` means in the function, or None: a closure's, a global, not a local."""
        names = self.closure()
        if name in names:
            return names[name]
        return self.function.__globals__.get(name) if self.function is not None else None

    def closure(self) -> Mapping[str, Any]:
        """Return what the function holds of the functions around it, by name."""
        if self.function is None or self.function.__closure__ is None:
            return {}
        found = {}
        for name, cell in zip(self.function.__code__.co_freevars, self.function.__closure__, strict=True):
            try:
                found[name] = cell.cell_contents
            except ValueError:  # not set yet
                continue
        return found


def list_referenced(code: Code) -> Iterator[Any]:
    """Yield what a function names: closures, globals, defaults, what a partial holds; in a fixed order."""
    target = code.target
    while isinstance(target, functools.partial):
        yield from target.args
        yield from target.keywords.values()
        target = target.func
    if inspect.ismethod(target):
        yield from _attributes(target.__self__)
    elif not isinstance(target, FunctionType | type):
        yield from _attributes(target)
    if code.function is None:
        return
    yield from (code.function.__defaults__ or ())
    yield from (code.function.__kwdefaults__ or {}).values()
    yield from code.closure().values()
    for name in _names(code.function.__code__):
        if name in code.function.__globals__:
            yield code.function.__globals__[name]


def _attributes(value: Any) -> Iterator[Any]:
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict) and not isinstance(value, type) and not inspect.ismodule(value):
        yield from (attributes[name] for name in sorted(attributes))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _unwrap(target: Any) -> Any:
    """Return the function in a runnable; a sequence counts as its first part, which is what the user gave."""
    while isinstance(target, Runnable):
        function: Callable[..., Any] | None = getattr(target, "func", None) or getattr(target, "afunc", None)
        if function is not None:
            return function
        if isinstance(target, RunnableBinding):
            target = target.bound
        elif isinstance(target, RunnableSequence):
            target = target.first
        elif steps := getattr(target, "steps", None):  # LangGraph's own sequence
            target = steps[0]
        else:
            return target
    return target
