"""Keys: the texts by which activations and instances are known.

An activation of `write` in the second pass of a loop is `write#2`, in the first pass of the second pass of
two `write#2.1`; if every number is one, the key is the node's id. An instance is a region with its vector:
`""` is ROOT's, `draft#2` the second pass of the loop whose header is `draft`. What comes before the key in a
step's path (the item of a map, a parent) is the caller's.
"""

from __future__ import annotations

from typing import TypeAlias

Vector: TypeAlias = tuple[int, ...]
"""Numbers of iterations, outermost first, counted from 1; () in ROOT."""


def activation_key(node: str, vector: Vector) -> str:
    """Return how the activation is written: without numbers if all of them are one."""
    if all(number == 1 for number in vector):
        return node
    return f"{node}#{'.'.join(map(str, vector))}"


def instance_key(region: str, vector: Vector) -> str:
    """Return how the instance of `region` is written; all its numbers are said."""
    return f"{region}#{'.'.join(map(str, vector))}" if vector else region


def parse_key(key: str, depth: int) -> tuple[str, Vector]:
    """Return what `activation_key` or `instance_key` was made of; `depth` loops are around it.

    Raises `ValueError` if the key is of another depth.
    """
    name, found, numbers = key.partition("#")
    vector = tuple(int(number) for number in numbers.split(".")) if found else (1,) * depth
    if len(vector) != depth or min(vector, default=1) < 1:
        raise ValueError(f"{key!r} doesn't say {depth} iterations.")
    return name, vector
