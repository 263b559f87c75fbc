"""`apply_spec(graph, spec)`: what people edited in an exported graph, put onto a copy of it.

Owns which edits have a place in a graph: policies of nodes, and the prompt of a prebuilt agent. An edit is
what the document says otherwise than a fresh export of the graph; one that has no place is refused with its
pointer, because an edit that is ignored silently would be worse. How the copy is made is copying.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from langgraph.pregel import Pregel

from omium.adapters.langgraph.applied import AppliedGraph, Place
from omium.adapters.langgraph.copying import NodeEdit, copy_graph
from omium.adapters.langgraph.export import Graph, export_graph, read_graph
from omium.adapters.langgraph.export_nodes import Own
from omium.adapters.langgraph.export_policies import list_retries
from omium.adapters.langgraph.instrument import InstrumentedGraph
from omium.adapters.langgraph.naming import ids_of, name_tasks
from omium.adapters.langgraph.nodes import NodePolicy
from omium.adapters.langgraph.prebuilt import is_agent, why_not_edited
from omium.adapters.native_edits import is_of_inputs, name_all, read_checkpoint, read_concurrency
from omium.errors import ConfigError
from omium.redact import REDACTED
from omium.retry import RetryPolicy
from omium.spec.changes import FieldChange, SpecChange, diff_specs
from omium.spec.check import load_spec
from omium.spec.document import Node, Retry, Spec
from omium.spec.problems import join_pointer

_POLICIES: Final = frozenset({"retry", "timeout_s", "concurrency", "breaker", "effect", "checkpoint"})
_WORDS: Final = frozenset({"name", "description", "version", "runtime"})
"""They say nothing to LangGraph."""
_NUMBERS: Final = ("max_attempts", "initial_delay_s", "multiplier", "max_delay_s", "jitter")


def apply_spec(graph: Graph, spec: Spec) -> AppliedGraph:
    """Return a copy of `graph` with the edits of `spec`, for `instrument`; the given graph is not changed.

    Raises `ConfigError` that names the pointer of each edit that has no place, and for a spec that Omium's
    engine runs.
    """
    if spec.runtime.mode != "native":
        raise ConfigError("/runtime/mode is engine: this workflow runs on the server, without a graph.")
    compiled, own, _ = read_graph(graph)
    subjects = {subject.place: subject for subject in _list_subjects(compiled, (), own)}
    fresh = export_graph(graph, name=spec.name, entrypoint=spec.runtime.entrypoint)
    applying = _Applying(spec, subjects)
    unplaced: list[str] = []
    for change in diff_specs(load_spec(fresh), spec):
        for edit in _list_edits(change):
            try:
                applying.take(change, edit)
            except _Unplaced as refused:
                unplaced.append(str(refused))
    if unplaced:
        raise ConfigError(
            f"{name_all(unplaced)}. Change the code and export the graph again, or undo the edit."
        )
    kept = {place: subject.own for place, subject in subjects.items() if subject.own is not None}
    options = graph.options if isinstance(graph, InstrumentedGraph) else {}
    return AppliedGraph(copy_graph(compiled, applying.edits), kept | applying.policies, options)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A node of the graph, or a `@task`, whose policy may be edited."""

    place: Place
    work: Any
    """Its runnable or function."""
    spec: Any
    """What holds LangGraph's own policies of it."""
    own: NodePolicy | None
    kind: str
    """node, task, subgraph or entrypoint."""


def _list_subjects(graph: Pregel[Any, Any, Any, Any], place: Place, own: Own) -> Iterator[_Subject]:
    builder = getattr(graph, "builder", None)
    for name, id_ in ids_of(graph).items():
        here = (*place, id_)
        if builder is None:
            body = graph.nodes[name].bound
            yield _Subject(here, body, graph, None, "entrypoint")
            for task_id, task in name_tasks(body).items():
                policy = own((*here, task_id), str(getattr(task, "__name__", task_id)))
                yield _Subject((*here, task_id), task, task, policy, "task")
        elif isinstance(inner := builder.nodes[name].runnable, Pregel):
            yield _Subject(here, inner, builder.nodes[name], None, "subgraph")
            yield from _list_subjects(inner, here, own)
        else:
            spec = builder.nodes[name]
            yield _Subject(here, spec.runnable, spec, own(here, name), "node")


@dataclass(slots=True)
class _Applying:
    spec: Spec
    subjects: dict[Place, _Subject]
    edits: dict[Place, NodeEdit] = field(default_factory=dict)
    policies: dict[Place, NodePolicy] = field(default_factory=dict)

    def take(self, change: SpecChange, edit: FieldChange | None) -> None:
        """Note what an edit asks for; raises `_Unplaced` where it has no place, None for a whole thing."""
        if edit is None:
            word = (
                "is not in the graph" if change.kind == "added" else "is in the graph, and was taken out here"
            )
            raise _unplaced(self.point(change, ""), f"the {change.what} {change.id} {word}")
        pointer, name = self.point(change, edit.pointer), edit.pointer.split("/")[1]
        subject = self.subjects.get(tuple(change.id.split("/"))) if change.what == "node" else None
        if subject is None:
            raise _unplaced(
                pointer, f"this of the {change.what} {change.id} is decided by the code".replace("  ", " ")
            )
        node = _find_node(self.spec, subject.place)
        if name in _POLICIES:
            self.take_policy(subject, node, name, pointer)
        elif edit.pointer == "/parameters/system" or (name == "parameters" and is_agent(subject.work)):
            self.take_prompt(subject, node, pointer)
        else:
            raise _unplaced(pointer, f"this of the node {change.id} is decided by the code")

    def take_policy(self, subject: _Subject, node: Node, name: str, pointer: str) -> None:
        """Note another policy of a node."""
        if subject.kind in ("subgraph", "entrypoint"):
            inside = "its own nodes are" if subject.kind == "subgraph" else "its tasks are"
            raise _unplaced(pointer, f"{subject.place[-1]} is no step, {inside}: give them the policy")
        if subject.kind == "task" and name in ("retry", "timeout_s") and _has_own(subject.spec, name):
            raise _unplaced(pointer, f"the @task {subject.place[-1]} says it in the code, and would do both")
        before = self.policies.get(subject.place, subject.own or NodePolicy())
        edit = self.edits.get(subject.place, NodeEdit())
        match name:
            case "retry":
                numbers = _only_numbers(subject, node.retry)
                edit = replace(edit, retry=numbers or (), changes_retry=True)
                policy = None if numbers or node.retry is None else RetryPolicy.from_json(_form(node.retry))
                before = replace(before, retry=policy)
            case "timeout_s":
                edit = replace(edit, drops_timeout=True)
                before = replace(before, timeout_s=node.timeout_s)
            case "concurrency":
                before = replace(before, concurrency=read_concurrency(node))
            case "breaker":
                before = replace(before, breaker=node.breaker)
            case "effect":
                before = replace(before, effect=node.effect)
            case _:
                record, schema = read_checkpoint(node)
                before = replace(before, record=record, output_schema=schema)
        before.options(subject.place[-1])  # policies that contradict each other are told here
        self.policies[subject.place] = before
        if subject.kind == "node":
            self.edits[subject.place] = edit

    def take_prompt(self, subject: _Subject, node: Node, pointer: str) -> None:
        """Note another prompt of a prebuilt agent."""
        if not is_agent(subject.work):
            raise _unplaced(pointer, f"the prompt of {subject.place[-1]} is in its code")
        if why := why_not_edited(subject.work):
            raise _unplaced(pointer, f"the prompt of {subject.place[-1]} has no place: {why}")
        if node.parameters.keys() - {"system"}:
            raise _unplaced(pointer, "a prebuilt agent has one prompt, `system`")
        text = node.parameters.get("system")
        if REDACTED in str(text):
            raise _unplaced(pointer, f"it holds {REDACTED}, which stands for a secret that was not exported")
        edit = self.edits.get(subject.place, NodeEdit())
        self.edits[subject.place] = replace(edit, prompt=str(text or ""), changes_prompt=True)

    def point(self, change: SpecChange, inside: str) -> str:
        """Return the pointer into the document of what changed."""
        if change.what == "spec":
            return inside
        if change.what in ("agent", "tool", "loop"):
            return join_pointer("", f"{change.what}s", change.id) + inside
        body, pointer = self.spec, ""
        *way, last = change.id.split("/") if change.what == "node" else ("", *change.id.split("/"))[1:]
        found: Any = body
        for id_ in way:
            at = next((at for at, node in enumerate(found.nodes) if node.id == id_), None)
            if at is None or found.nodes[at].body is None:
                return f"{pointer}/nodes"
            pointer, found = f"{pointer}/nodes/{at}/body", found.nodes[at].body
        if change.what == "node":
            at = next((at for at, node in enumerate(found.nodes) if node.id == last), None)
            return f"{pointer}/nodes" if at is None else f"{pointer}/nodes/{at}{inside}"
        source, _, target = last.partition("#")[0].partition("->")
        at = next(
            (at for at, edge in enumerate(found.edges) if (edge.source, edge.target) == (source, target)),
            None,
        )
        return f"{pointer}/edges" if at is None else f"{pointer}/edges/{at}{inside}"


def _list_edits(change: SpecChange) -> Iterator[FieldChange | None]:
    """Return the fields of a change that say something to LangGraph, None for what was added or taken out."""
    if change.what == "breaker":
        return  # limits of a breaker are the server's
    if change.kind != "changed":
        yield None
    for each in change.fields if change.kind == "changed" else ():
        if not _says_nothing(change, each):
            yield each


def _says_nothing(change: SpecChange, edit: FieldChange) -> bool:
    """Say whether a difference is none to LangGraph: a word for people, code as text, an `x-` field."""
    if is_of_inputs(change, edit):
        return True
    parts = edit.pointer.split("/")[1:]
    if any(part.startswith("x-") for part in parts) or parts[-1] == "source":
        return True
    return change.what in ("spec", "node") and parts[0] in _WORDS and edit.pointer != "/runtime/mode"


def _find_node(spec: Spec, place: Place) -> Node:
    body: Any = spec
    for id_ in place[:-1]:
        body = next(node for node in body.nodes if node.id == id_).body
    found: Node = next(node for node in body.nodes if node.id == place[-1])
    return found


def _only_numbers(subject: _Subject, retry: Retry | None) -> tuple[Any, ...]:
    """Return LangGraph's own policies with other numbers, where nothing else of them was edited.

    They stay LangGraph's: what is retried may be decided by a function, which a spec cannot hold.
    """
    policies = list_retries(getattr(subject.spec, "retry_policy", None)) if subject.kind == "node" else []
    if retry is None or not policies or (subject.own is not None and subject.own.retry is not None):
        return ()
    first = policies[0]
    names = [
        each.__qualname__ if each.__module__ == "builtins" else f"{each.__module__}.{each.__qualname__}"
        for each in (first.retry_on if isinstance(first.retry_on, list | tuple) else [first.retry_on])
        if isinstance(each, type)
    ]
    if list(retry.retry_on) != names or retry.give_up_on:
        return ()
    edited = first._replace(
        max_attempts=retry.max_attempts,
        initial_interval=retry.initial_delay_s,
        backoff_factor=retry.multiplier,
        max_interval=retry.max_delay_s,
        jitter=retry.jitter,
    )
    return (edited, *policies[1:])


def _form(retry: Retry) -> dict[str, object]:
    return {
        **{name: getattr(retry, name) for name in _NUMBERS},
        "retry_on": retry.retry_on,
        "give_up_on": retry.give_up_on,
    }


def _has_own(spec: Any, name: str) -> bool:
    return bool(getattr(spec, "retry_policy" if name == "retry" else "timeout", None))


class _Unplaced(Exception):
    """An edit that has no place in a graph."""


def _unplaced(pointer: str, why: str) -> _Unplaced:
    return _Unplaced(f"{pointer or '/'} cannot be edited: {why}")
