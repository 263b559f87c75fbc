"""Places: who does a node, and where it stands until it has been done.

    transaction    decision, wait, approval, map, subworkflow: the engine itself
    server         llm_call, agent_task, tool_call with an HTTP tool: a built-in runner in the server
    worker         function, and whatever names a handler: a worker that serves it

Pure but for the clock: makes the first row of an activation, stores nothing.
"""

from __future__ import annotations

from typing import Final

from omium.server.engine.nodes.work import Coming, NodeWork
from omium.server.engine.scopes import vector_text
from omium.server.store.activations import ActivationRow
from omium.spec.document import Node, Spec

INLINE: Final = frozenset({"decision", "approval", "wait", "map", "subworkflow"})


def place_node(work: NodeWork, node: Node, coming: Coming, path: str) -> ActivationRow:
    """Return the first row of an activation, ready and without its inputs."""
    row = work.row
    executor, handler = find_executor(work.definition.spec, node)
    limit = node.concurrency
    return ActivationRow(
        execution_id=row.id,
        path=path,
        tenant_id=row.tenant_id,
        environment=row.environment,
        workflow=row.workflow,
        queue=row.queue,
        scope=coming.scope,
        node=coming.node,
        vector=vector_text(coming.vector),
        type=node.type,
        executor=executor,
        handler=handler,
        state="ready",
        waiting_reason=None,
        trigger_edge=coming.trigger_edge,
        attempt=1,
        attempts_before=0,
        interruptions=0,
        epoch=0,
        lease_digest=None,
        lease_touched_us=None,
        worker_id=None,
        due_us=None,
        deadline_us=None,
        input=None,
        input_digest="0" * 64,
        concurrency_key=limit.key if limit is not None else None,
        concurrency_limit=limit.limit if limit is not None else None,
        has_slot=0,
        breaker=node.breaker,
        effect_key=None,
        progress=None,
        ready_us=work.now_us,
        started_us=None,
    )


def find_executor(spec: Spec, node: Node) -> tuple[str, str]:
    """Return who does the node, and under which name it is claimed."""
    if node.type in INLINE:
        name = str(node.parameters.get("signal") or "") if node.type == "wait" else ""
        return "transaction", name
    named = node.parameters.get("handler")
    if isinstance(named, str):
        return "worker", named
    if node.type == "tool_call":
        tool = spec.tools.get(node.tool or "")
        if tool is not None and tool.handler is not None:
            return "worker", tool.handler
    return "server", node.type


def is_effect(spec: Spec, node: Node) -> str | None:
    """Return `once` or `idempotent` for a node that changes something outside, else None."""
    said = node.effect
    if not said and node.type == "tool_call" and (tool := spec.tools.get(node.tool or "")) is not None:
        said = tool.effect
    if not said:
        return None
    return "idempotent" if said == "idempotent" else "once"
