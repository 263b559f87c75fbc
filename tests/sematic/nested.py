"""A pipeline with everything in it: lists, tuples, dataclasses, optional values, functions in functions."""

# ruff: noqa: UP006, UP035, UP045  # Sematic 0.41 knows only the types of `typing`

import os
import signal
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import sematic

from omium.adapters.sematic import instrument

RAN = [
    *("load", "square-0", "square-1", "square-2", "total", "add", "halve-0", "halve-1"),
    *("split", "label", "report"),
]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: float
    names: List[str]


@dataclass(frozen=True)
class Report:
    total: float
    point: Optional[Point]
    colour: Colour
    by_name: Dict[str, int]


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    if os.environ.get("DIE") == name:
        os.kill(os.getpid(), signal.SIGKILL)


@sematic.func
def load(count: int) -> List[int]:
    ran("load")
    return list(range(count))


@sematic.func
def square(number: int) -> int:
    ran(f"square-{number}")
    return number * number


@sematic.func
def halve(number: float) -> float:
    ran(f"halve-{0 if number > 3 else 1}")
    return number / 2


@sematic.func
def add(numbers: List[int]) -> float:
    ran("add")
    return float(sum(numbers))


@sematic.func
def total(numbers: List[int]) -> float:
    """Call others: a function that is only wiring, and finished when they are."""
    ran("total")
    return halve(halve(add([square(number) for number in numbers])))


@sematic.func
def split(total: float) -> Tuple[Optional[Point], Colour]:
    ran("split")
    return Point(total, ["a", "b"]), Colour.BLUE


@sematic.func
def label(point: Optional[Point]) -> Dict[str, int]:
    ran("label")
    return {} if point is None else {name: number for number, name in enumerate(point.names)}


@sematic.func
def report(total: float, point: Optional[Point], colour: Colour, by_name: Dict[str, int]) -> Report:
    ran("report")
    return Report(total, point, colour, by_name)


@sematic.func
def pipeline(count: int) -> Report:
    whole = total(load(count))
    parts = split(whole)
    return report(whole, parts[0], parts[1], label(parts[0]))


durable = instrument(pipeline, name="nested")

if __name__ == "__main__":
    print(repr(durable.run(int(sys.argv[1]) if sys.argv[1:] else 3)))
