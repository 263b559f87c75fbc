"""Node ids: how the functions of a pipeline are called in an exported document, in steps, and in an edit.

Owns the one rule: the functions that one body calls are numbered per name in the order of the calls
(`square`, `square-2`), and what a nested body calls has its place before it (`total/square`), as the steps
have. Sematic draws the ids of its futures anew in each process, so none of them is used. Sematic's own nodes,
which only put lists and tuples together, have no id: they are seen through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sematic.abstract_future import AbstractFuture

from omium.adapters.node_ids import make_ids
from omium.adapters.sematic.placeholders import expand, is_placeholder

_HELPERS: Final = {
    ("sematic.function", "_make_list"),
    ("sematic.function", "_make_tuple"),
    ("sematic.future_operators.getitem", "_getitem"),
}


def name_nodes(function: Any) -> Mapping[str, AbstractFuture]:
    """Return what the body of `function`, a pipeline, calls, by node id; empty where only a run can tell."""
    expansion = expand(function)
    if expansion.result is None:
        return {}
    ids = name_level(expansion.result, expansion.created)
    by_id = {future.id: future for future in list_level(expansion.result)}
    return {node_id: by_id[future_id] for future_id, node_id in ids.items()}


def name_level(result: AbstractFuture, created: Sequence[AbstractFuture]) -> dict[str, str]:
    """Return the ids of the nodes behind `result`, what one body returned, by Sematic's ids of the futures.

    `created` are the futures in the order in which the body made them; that is the order of the numbers.
    """
    level = {future.id: future for future in list_level(result)}
    first = [future.id for future in created if future.id in level]
    ordered = [level[future_id] for future_id in [*first, *(id_ for id_ in level if id_ not in set(first))]]
    nodes = [future for future in ordered if not is_helper(future) and not is_placeholder(future)]
    ids = make_ids((future.function.__name__ for future in nodes), otherwise="function")
    return dict(zip((future.id for future in nodes), ids, strict=True))


def list_level(result: AbstractFuture) -> Iterator[AbstractFuture]:
    """Yield `result` and every future that it depends on, each once, helpers too."""
    stack, seen = [result], {result.id}
    while stack:
        future = stack.pop()
        yield future
        for value in list_arguments(future):
            if value.id not in seen:
                seen.add(value.id)
                stack.append(value)


def list_arguments(future: AbstractFuture) -> list[AbstractFuture]:
    """Return the futures among what `future` is given."""
    return [value for value in future.kwargs.values() if isinstance(value, AbstractFuture)]


def find_sources(futures: Iterable[AbstractFuture]) -> Iterator[AbstractFuture]:
    """Yield the functions behind `futures`, each once: a list of futures stands for what it is made of."""
    stack, seen = [*futures][::-1], set()
    while stack:
        future = stack.pop()
        if future.id in seen:
            continue
        seen.add(future.id)
        if is_helper(future):
            stack += list_arguments(future)[::-1]
        elif not is_placeholder(future):
            yield future


def is_helper(future: AbstractFuture) -> bool:
    """Say whether the future is Sematic's own: a list, a tuple, or an item of one."""
    return (future.function.__module__, future.function.__name__) in _HELPERS


def join_path(parent: str, node_id: str) -> str:
    """Return the place that `node_id` has in the whole pipeline; `parent` is empty at its top."""
    return f"{parent}/{node_id}" if parent else node_id
