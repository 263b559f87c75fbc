"""Node ids: how the nodes of a graph are called in an exported document, in steps, and in an edit.

Owns the one rule that makes a spec's ids of LangGraph's names. A name that is an id already stays as it
is; any other (`write report`, `schön`) is spelt with what an id may have, and numbered where two would be
one. The ids follow from the names and their order in the graph alone, so they are the same in every process.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from langgraph.func import _TaskFunction
from langgraph.pregel import Pregel

from omium.adapters.langgraph.reading_code import Code, list_referenced

START: Final = "__start__"  # LangGraph's own entry, which only hands the input on
END: Final = "__end__"
ID_CHARACTERS_MAX: Final = 80
"""Of the 100 that an id may have: there must be room for a number."""
_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]+")


def name_nodes(graph: Pregel[Any, Any, Any, Any]) -> Mapping[str, Any]:
    """Return the nodes of `graph` by their ids, in the graph's order; a subgraph's have ids of their own."""
    return {id_: graph.nodes[name] for name, id_ in ids_of(graph).items()}


def ids_of(graph: Pregel[Any, Any, Any, Any]) -> Mapping[str, str]:
    """Return the id of each of the graph's nodes by its name."""
    return make_ids(name for name in graph.nodes if name != START)


def name_tasks(body: Any) -> Mapping[str, _TaskFunction[Any, Any]]:
    """Return the `@task`s that the function of an `@entrypoint` names, by their ids."""
    found: dict[str, _TaskFunction[Any, Any]] = {}
    for value in list_referenced(Code.of(body)):
        if isinstance(value, _TaskFunction):
            found.setdefault(str(getattr(value, "__name__", "task")), value)
    return {make_id(name): found[name] for name in sorted(found)}


def make_ids(names: Iterable[str]) -> dict[str, str]:
    """Return an id for each name; names that are ids keep them, whatever comes before."""
    listed = list(names)
    made = {name: name for name in listed if _is_id(name)}
    taken = set(made.values())
    for name in listed:
        if name in made:
            continue
        wanted = make_id(name)
        id_, number = wanted, 1
        while id_ in taken:
            number += 1
            id_ = f"{wanted}-{number}"
        taken.add(id_)
        made[name] = id_
    return {name: made[name] for name in listed}


def make_id(name: str) -> str:
    """Return `name` as an id: `write report` as `write_report`, `schön` as `schon`."""
    if _is_id(name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _OTHER.sub("_", plain).strip("_")[:ID_CHARACTERS_MAX] or "node"


def _is_id(name: str) -> bool:
    return len(name) <= ID_CHARACTERS_MAX and _ID.fullmatch(name) is not None
