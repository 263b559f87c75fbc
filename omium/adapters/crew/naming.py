"""Node ids: the one name that a task of a crew, or a method of a flow, has everywhere in Omium.

The exported document writes it, the durable step begins with it, and an edit of the document finds its
task by it. It follows from what people wrote: the task's own name, else the role of its agent; never from ids
that CrewAI draws anew in each process. Loads no framework.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from omium.adapters.node_ids import make_id, make_ids

__all__ = ["find_definition", "find_id", "is_flow", "make_id", "make_ids", "name_agents", "name_nodes"]


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


def find_id(nodes: Mapping[str, Any], node: object) -> str | None:
    """Return the id of that very node; a crew's tasks are found by identity, as equal ones may be two."""
    return next((id_ for id_, each in nodes.items() if each is node), None)


def is_flow(obj: object) -> bool:
    """Say whether `obj` is a flow, its class or an instance."""
    return callable(getattr(obj, "flow_definition", None))


def find_definition(flow: Any) -> Any:
    """Return CrewAI's own definition of a flow: its own one, which may be from a file, or its class's."""
    if not isinstance(flow, type):
        own = getattr(flow, "_definition", None)
        if own is not None and hasattr(own, "methods"):
            return own
    return flow.flow_definition()


def _called(task: Any) -> str:
    return str(getattr(task, "name", None) or "") or _role(getattr(task, "agent", None))


def _role(agent: Any) -> str:
    """Return an agent's role as it was written: at a kickoff CrewAI puts the inputs into it, in place."""
    return str(getattr(agent, "_original_role", None) or getattr(agent, "role", None) or "").strip()
