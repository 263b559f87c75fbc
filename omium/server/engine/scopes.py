"""Scopes: where an activation stands: in the execution itself, or in an item of a map, at any depth.

A path is the scope and the activation's key: `write`, `write#2.1`, `each[3]/summarise`. A scope is "" or the
path of an item, such as `each#2[3]` or `each[3]/inner[0]`. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from omium.spec.schedule.keys import Vector, activation_key

_ITEM: Final = re.compile(r"^(?P<node>[^#\[]+)(?:#(?P<numbers>[0-9.]+))?\[(?P<position>[0-9]+)\]$")


def path_of(scope: str, node: str, vector: Vector) -> str:
    """Return the path of an activation."""
    key = activation_key(node, vector)
    return f"{scope}/{key}" if scope else key


def item_scope(map_path: str, position: int) -> str:
    """Return the scope of a map's item."""
    return f"{map_path}[{position}]"


def split_item(scope: str) -> tuple[str, int]:
    """Return the path of the map that the item `scope` belongs to, and its position."""
    path, _, rest = scope.rpartition("[")
    return path, int(rest[:-1])


def list_maps(scope: str) -> list[str]:
    """Return the ids of the map nodes around `scope`, the outermost first."""
    if not scope:
        return []
    found = []
    for segment in scope.split("/"):
        match = _ITEM.match(segment)
        assert match is not None, f"{scope} is no scope"
        found.append(match["node"])
    return found


def find_place(path: str) -> tuple[str, str] | None:
    """Return the scope and the node's id of an activation; None for what a node has recorded inside."""
    scope, _, key = path.rpartition("/")
    if scope and not all(_ITEM.match(segment) for segment in scope.split("/")):
        return None
    return scope, key.partition("#")[0]


def vector_text(vector: Vector) -> str:
    return ".".join(map(str, vector))


def read_vector(text: str) -> Vector:
    return tuple(int(number) for number in text.split(".")) if text else ()
