"""Policies of nodes in a document: what `instrument` was told, so that people can edit it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from omium.adapters.documents import describe_checkpoint
from omium.jsonvalue import JsonValue
from omium.sdk.options import make_policy

if TYPE_CHECKING:
    from omium.adapters.crew.policy import TaskPolicy


def add_policies(parts: dict[str, JsonValue], policies: Mapping[str, TaskPolicy]) -> None:
    """Write the policies of nodes into the parts of a document, and name the breakers that they name."""
    breakers: dict[str, JsonValue] = {}
    for node in cast("list[dict[str, JsonValue]]", parts["nodes"]):
        policy = policies.get(str(node["id"]))
        if policy is None:
            continue
        if policy.retry is not None:
            node["retry"] = cast("JsonValue", make_policy(policy.retry).to_json())
        if policy.timeout_s is not None:
            node["timeout_s"] = policy.timeout_s
        if policy.concurrency is not None:
            node["concurrency"] = policy.concurrency.to_json()
        if policy.breaker is not None:
            node["breaker"] = policy.breaker
            breakers[policy.breaker] = {}
        if checkpoint := describe_checkpoint(policy.output_schema, record=policy.record):
            node["checkpoint"] = checkpoint
    if breakers:
        parts["breakers"] = breakers
