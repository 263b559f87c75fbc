"""Drawing: the functions that a body calls, as nodes and edges of a spec.

Owns what each field of a node says. An edge leads from every function to those that take what it returns;
lists, tuples and items of them are seen through. What a body is given from outside is an input, and of values
that stand in the code only numbers are shown: a text might be a secret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sematic.abstract_future import AbstractFuture

from omium.adapters.documents import describe_checkpoint
from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic.modules import name_module
from omium.adapters.sematic.naming import (
    find_sources,
    is_helper,
    join_path,
    list_arguments,
    list_level,
    name_level,
)
from omium.adapters.sematic.policies import NO_POLICY, read_retry
from omium.adapters.sematic.tracing import Tracer
from omium.jsonvalue import JsonValue
from omium.retry import RetryPolicy

Policies = Mapping[str, StepPolicy]


@dataclass(frozen=True, slots=True)
class Level:
    """What one body calls: its result, what it made in which order, and the names of its own arguments."""

    result: AbstractFuture
    created: Sequence[AbstractFuture]
    inputs: Mapping[str, str] = field(default_factory=dict)
    """By Sematic's id of their placeholder."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws levels; with a tracer also what the functions of a run called, inside their nodes."""

    policies: Policies
    tracer: Tracer | None = None

    def draw(
        self, level: Level, place: str, ran: Mapping[str, AbstractFuture] | None = None
    ) -> dict[str, JsonValue]:
        """Return nodes, edges and outputs; `ran` are the futures of the run by id, if they are others."""
        ids = _ids(level)
        futures = {future.id: future for future in list_level(level.result)}
        nodes: list[JsonValue] = []
        edges: list[JsonValue] = []
        for future_id, node_id in ids.items():
            future = futures[future_id]
            sources = [ids[each.id] for each in find_sources(list_arguments(future))]
            edges += [{"from": source, "to": node_id} for source in sources]
            node = self._node(future, node_id, join_path(place, node_id), ids, level)
            node |= {"join": "all_fired"} if len(sources) > 1 else {}
            node |= self.inside((ran or {}).get(node_id, future), join_path(place, node_id))
            nodes.append(node)
        outputs = _refer(level.result, ids, level.inputs)
        drawn: dict[str, JsonValue] = {"nodes": nodes, "outputs": {"result": outputs}}
        return drawn | ({"edges": edges} if edges else {})

    def describe(self, future: AbstractFuture, place: str) -> dict[str, JsonValue]:
        """Return what is said of a function wherever it stands: its code and its policies."""
        function, props = future.function, future.props
        policy = self.policies.get(place, NO_POLICY)
        said: dict[str, Any] = {
            "name": props.name if props.name != function.__name__ else None,
            "description": (function.__doc__ or "").strip(),
            "ref": _ref(function),
            "retry": _retry(policy, read_retry(future)),
            "timeout_s": policy.timeout_s or (props.timeout_mins * 60 if props.timeout_mins else None),
            "concurrency": policy.concurrency.to_json() if policy.concurrency is not None else None,
            "breaker": policy.breaker,
            "effect": policy.effect,
            "checkpoint": describe_checkpoint(policy.output_schema, record=policy.record),
            "cache": {"enabled": True} if props.cache else None,
            "x-standalone": props.standalone,
            "x-tags": props.tags,
        }
        return {name: value for name, value in said.items() if value}

    def _node(
        self, future: AbstractFuture, node_id: str, place: str, ids: Mapping[str, str], level: Level
    ) -> dict[str, JsonValue]:
        inputs = {
            name: shown
            for name, value in future.kwargs.items()
            if (shown := _refer(value, ids, level.inputs)) is not None
        }
        node: dict[str, JsonValue] = {"id": node_id, "type": "function", **self.describe(future, place)}
        return node | ({"inputs": inputs} if inputs else {})

    def inside(self, future: AbstractFuture, place: str) -> dict[str, JsonValue]:
        """Return what the function called in the run, if it called others: as they were for its inputs."""
        if self.tracer is None or future.nested_future is None:
            return {}
        level = Level(future.nested_future, self.tracer.created.get(future.id, ()))
        return {"body": self.draw(level, place), "dynamic": True, "x-traced": True}


def _ids(level: Level) -> dict[str, str]:
    return name_level(level.result, level.created)


def _refer(value: Any, ids: Mapping[str, str], inputs: Mapping[str, str]) -> Any:
    """Return how a document says a value: a reference, or a number; None where it does not say it."""
    if not isinstance(value, AbstractFuture):
        return value if isinstance(value, bool | int | float) and math.isfinite(value) else None
    if value.id in inputs:
        return {"$from": f"inputs.{inputs[value.id]}"}
    if not is_helper(value):
        return {"$from": f"nodes.{ids[value.id]}.output"}
    if value.function.__name__ != "_getitem":
        parts = [_refer(each, ids, inputs) for each in value.kwargs.values()]
        return None if None in parts else parts
    container, key = value.kwargs["container"], value.kwargs["key"]
    whole = _refer(container, ids, inputs)
    if isinstance(whole, dict) and isinstance(key, int):
        return {"$from": f"{whole['$from']}.{key}"}
    return whole


def _ref(function: Any) -> dict[str, JsonValue]:
    return {"ref": f"{name_module(function.__module__)}:{function.func.__qualname__}"[:500]}


def _retry(policy: StepPolicy, own: RetryPolicy) -> dict[str, object] | None:
    if policy.retry is None:
        return own.to_json() if own.max_attempts > 1 else None
    chosen = RetryPolicy(max_attempts=policy.retry) if isinstance(policy.retry, int) else policy.retry
    return chosen.to_json()
