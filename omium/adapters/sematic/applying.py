"""apply_spec: the policies of an exported workflow, put onto the pipeline that it was exported from.

Owns which edits have a place in a pipeline: the retries, timeouts, slots, breakers, effects and checkpoints
of its functions. What a function does and what it calls are code. Whatever else a spec says otherwise than
the pipeline is refused with a sentence, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from omium.adapters.native_edits import asks_policy, edit_policy
from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic.naming import join_path, name_nodes
from omium.adapters.sematic.subjects import (
    AppliedPipeline,
    find_cache_namespace,
    find_policies,
    get_function,
)
from omium.errors import ConfigError
from omium.spec.document import Node, Spec

_TRACED = "x-traced"
_PIPELINE = "x-pipeline"


def apply_spec(obj: Any, spec: Spec) -> AppliedPipeline:
    """Return the pipeline `obj` with the policies of `spec`; the given one is not changed.

    Raises `ConfigError` for a spec that Omium's engine runs, for a function that the pipeline does not call,
    and for a policy that a pipeline cannot follow.
    """
    if spec.runtime.mode != "native":
        raise ConfigError("/runtime/mode is engine: this workflow runs on the server, without Sematic.")
    function = get_function(obj)
    known = name_nodes(function)
    is_drawn = not any(_says(node, _PIPELINE) for node in spec.nodes)
    if is_drawn and (unknown := sorted({node.id for node in spec.nodes} ^ known.keys())):
        raise ConfigError(
            f"The pipeline {function.__name__} and the spec do not agree on {', '.join(unknown[:5])}: a spec "
            "cannot change what a function calls. Change the code, and export it again."
        )
    policies = {**find_policies(obj), **list_policies(spec)}
    return AppliedPipeline(function, policies, find_cache_namespace(obj))


def list_policies(spec: Spec) -> dict[str, StepPolicy]:
    """Return what the spec says about policies, by the places of functions."""
    return dict(_list_policies(spec.nodes, ""))


def without_trace(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without what only a run can tell, so that it compares with an export without one."""
    nodes = [_without_trace(node) for node in document.get("nodes", ())]
    return {**document, "nodes": nodes}


def _without_trace(node: Mapping[str, Any]) -> dict[str, Any]:
    if not node.get(_TRACED):
        return dict(node)
    left = {name: value for name, value in node.items() if name not in (_TRACED, "body")}
    if not node.get(_PIPELINE):
        left.pop("dynamic", None)
    return left


def _list_policies(nodes: tuple[Node, ...], place: str) -> Iterator[tuple[str, StepPolicy]]:
    """Yield what the nodes say of policies, by their places."""
    for node in nodes:
        here = "" if _says(node, _PIPELINE) else join_path(place, node.id)
        _refuse(node, here)
        if asks_policy(node):
            policy = replace(edit_policy(StepPolicy(), node), effect=bool(node.effect))
            policy.options(node.id)  # what contradicts each other is told here
            yield here, policy
        if node.body is not None:
            yield from _list_policies(node.body.nodes, here)


def _refuse(node: Node, place: str) -> None:
    """Refuse what has no place in a pipeline."""
    if place == "" and (node.concurrency or node.breaker or node.effect or node.checkpoint):
        raise ConfigError(
            f"{node.id} is the pipeline's own function, which is no step: give a breaker, a concurrency "
            "key, an effect or a checkpoint to the functions that it calls."
        )


def _says(node: Node, field: str) -> bool:
    return bool((node.model_extra or {}).get(field))
