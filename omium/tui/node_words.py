"""A node in words: what it is, what it is told, what it gets, and its policies; for people beside a graph."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.text import Text

from omium.spec.document import Agent, Node
from omium.tui.content import safe, safe_lines

_LENGTH_MAX = 2_000


def node_text(path: str, node: Node, agent: Agent | None, state: str = "") -> Text:
    """Return everything that people ask first of a node; `state` is what an execution has done of it."""
    text = Text()
    text.append(f"{safe(node.name or path)}", "bold")
    text.append(f"  {node.type}\n", "dim")
    for name, value in _facts(path, node, state):
        text.append(f"{name:<12} ", "dim")
        text.append(f"{safe(value)}\n")
    for name, value in _texts(node, agent):
        text.append(f"\n{name}\n", "dim")
        text.append(f"{safe_lines(value[:_LENGTH_MAX])}\n")
    return text


def _facts(path: str, node: Node, state: str) -> Iterator[tuple[str, str]]:
    if state:
        yield "State", state
    if node.name not in ("", path) or "/" in path:
        yield "Id", path
    for name, value in (("Agent", node.agent), ("Tool", node.tool), ("Workflow", node.workflow)):
        if value:
            yield name, value
    if node.parameters.get("handler"):
        yield "Handler", str(node.parameters["handler"])
    if node.ref is not None:
        yield "Code", node.ref.ref
    yield from _policies(node)
    for name, given in node.inputs.items():
        yield f"← {safe(name)}", _given(given)


def _policies(node: Node) -> Iterator[tuple[str, str]]:
    if node.retry is not None:
        yield (
            "Retry",
            f"{node.retry.max_attempts} attempts, {node.retry.initial_delay_s:g} s before the second",
        )
    if node.timeout_s is not None:
        yield "Timeout", f"{node.timeout_s:g} s"
    if node.concurrency is not None:
        yield "Concurrency", f"{node.concurrency.limit} at the same time under {node.concurrency.key}"
    if node.breaker:
        yield "Breaker", node.breaker
    if node.effect:
        undone = f", undone by {node.compensate}" if node.compensate else ""
        yield "Effect", ("idempotent" if node.effect == "idempotent" else "must not be done twice") + undone
    if node.checkpoint is not None:
        yield "Checkpoint", "always" if node.checkpoint.enabled else "never"
    if node.join != "all":
        yield "Join", node.join
    if node.interrupt:
        yield "Interrupt", node.interrupt


def _given(value: object) -> str:
    if isinstance(value, dict) and "$from" in value:
        default = f", else {json.dumps(value['default'], ensure_ascii=False)}" if "default" in value else ""
        return f"{value['$from']}{default}"
    return json.dumps(value, ensure_ascii=False)


def _texts(node: Node, agent: Agent | None) -> Iterator[tuple[str, str]]:
    if node.description:
        yield "Description", node.description
    for name, value in node.parameters.items():
        if name != "handler":
            words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
            yield name.replace("_", " ").capitalize(), words
    for name in ("role", "goal", "backstory") if agent is not None else ():
        if getattr(agent, name):
            yield f"The agent's {name}", str(getattr(agent, name))
