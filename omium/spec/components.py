"""Two walks over directed graphs: strongly connected components, and an order that respects edges.

Both without recursion (2,000 nodes in a row are legal), and with results that depend on names only.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence


def list_components(following: Mapping[str, Sequence[str]]) -> list[frozenset[str]]:
    """Return the strongly connected components that hold a cycle, in the order of their least names.

    Tarjan's algorithm with a stack of its own.
    """
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    found: list[frozenset[str]] = []
    for root in sorted(following):
        if root in number:
            continue
        calls = [(root, iter(following[root]))]
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        while calls:
            name, rest = calls[-1]
            for other in rest:
                if other not in number:
                    number[other] = low[other] = len(number)
                    path.append(other)
                    on_path.add(other)
                    calls.append((other, iter(following[other])))
                    break
                if other in on_path:
                    low[name] = min(low[name], number[other])
            else:
                calls.pop()
                if calls:
                    low[calls[-1][0]] = min(low[calls[-1][0]], low[name])
                if low[name] == number[name]:
                    at = path.index(name)
                    component = frozenset(path[at:])
                    on_path -= component
                    del path[at:]
                    if len(component) > 1 or name in following[name]:
                        found.append(component)
    return sorted(found, key=min)


def order_units(
    names: Iterable[str], pairs: Sequence[tuple[str, str]]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names in topological order, least name first where there is a choice, and those on cycles.

    With cycles, what cannot be ordered follows at the end.
    """
    following: dict[str, list[str]] = {name: [] for name in names}
    waiting_for = dict.fromkeys(following, 0)
    for source, target in pairs:
        following[source].append(target)
        waiting_for[target] += 1
    ready = [name for name, count in waiting_for.items() if count == 0]
    heapq.heapify(ready)
    ordered: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        ordered.append(name)
        for target in following[name]:
            waiting_for[target] -= 1
            if waiting_for[target] == 0:
                heapq.heappush(ready, target)
    left = sorted(set(following) - set(ordered))
    if not left:
        return tuple(ordered), frozenset()
    cycles = list_components(following)
    return (*ordered, *left), cycles[0]
