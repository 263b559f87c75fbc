"""Node ids: the one name that a task of a crew, or a method of a flow, has everywhere in Omium.

The exported document writes it, the durable step begins with it, and an edit of the document finds its task by
it. It follows from what people wrote: the task's own name, else the role of its agent; never from ids that
CrewAI draws anew in each process. Loads no framework.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

ID_CHARACTERS_MAX: Final = 80
"""Of the 100 that a node's id may have: there must be room for a number, and people read them."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]+")


def name_nodes(obj: object) -> dict[str, Any]:
    """Return the nodes of a crew (its tasks) or a flow (the names of its methods) by their ids, in order.

    A crew has `tasks`; a flow has a `flow_definition()`.
    """
    if is_flow(obj):
        methods = list(find_definition(obj).methods)
        return dict(zip(make_ids(methods, otherwise="method"), methods, strict=True))
    tasks = list(getattr(obj, "tasks", ()))
    return dict(zip(make_ids((_called(task) for task in tasks), otherwise="task"), tasks, strict=True))


def name_agents(agents: Iterable[Any]) -> dict[str, Any]:
    """Return agents, each once, by ids that follow from their roles."""
    each: list[Any] = []
    for agent in agents:
        if not any(agent is other for other in each):  # agents may be equal and yet two
            each.append(agent)
    return dict(zip(make_ids((_role(agent) for agent in each), otherwise="agent"), each, strict=True))


def make_ids(names: Iterable[str | None], *, otherwise: str) -> list[str]:
    """Return an id for each name: its letters and digits, with `-2`, `-3` for names that came before."""
    taken: dict[str, None] = {}
    for name in names:
        wanted = make_id(name or "") or otherwise
        id_, number = wanted, 1
        while id_ in taken:
            number += 1
            id_ = f"{wanted}-{number}"
        taken[id_] = None
    return list(taken)


def make_id(text: str) -> str:
    """Return `text` as an id, or an empty text where nothing of it can stand in one.

    A name that is an id already stays as it is: `write_report`, `Draft-2`.
    """
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", text) and len(text) <= ID_CHARACTERS_MAX:
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _OTHER.sub("-", plain).strip("-").lower()[:ID_CHARACTERS_MAX].rstrip("-")


def find_id(nodes: Mapping[str, Any], node: object) -> str | None:
    """Return the id of that very node; a crew's tasks are found by identity, as equal ones may be two."""
    return next((id_ for id_, each in nodes.items() if each is node), None)


def is_flow(obj: object) -> bool:
    """Say whether `obj` is a flow, its class or an instance."""
    return callable(getattr(obj, "flow_definition", None))


def find_definition(flow: Any) -> Any:
    """Return CrewAI's own definition of a flow: the instance's, which may have come from a file, or its class's."""
    if not isinstance(flow, type):
        own = getattr(flow, "_definition", None)
        if own is not None and hasattr(own, "methods"):
            return own
    return flow.flow_definition()


def _called(task: Any) -> str:
    return getattr(task, "name", None) or _role(getattr(task, "agent", None))


def _role(agent: Any) -> str:
    """Return an agent's role as it was written: at a kickoff CrewAI puts the inputs into it, in place."""
    return str(getattr(agent, "_original_role", None) or getattr(agent, "role", None) or "").strip()
