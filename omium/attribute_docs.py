"""Attribute docs: the strings that stand below the fields of a class in its source.

Read when a description is asked for, not when the class is made; where there are no sources there are none.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator, Mapping

from pydantic import BaseModel


def attribute_docs(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the strings below the fields of `model` itself, by field."""
    if model.__module__.startswith("pydantic"):
        return {}
    origin = model.__pydantic_generic_metadata__["origin"] or model
    return _read_module(origin.__module__).get(origin.__qualname__, {})


@functools.cache
def _read_module(name: str) -> Mapping[str, Mapping[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (OSError, TypeError):  # installed without sources
        return {}
    return {node.name: dict(_read_class(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _read_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass
