"""apply_spec: what people edited in an exported workflow, put onto a copy of the crew.

Owns which edits have a place in CrewAI. An edit is what the document says otherwise than a fresh export of
the object does; one that has no place is refused with its pointer, as an edit that is silently ignored would
be worse. Policies of nodes are no edits of the crew: `list_policies` gives them to `instrument`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from omium.adapters.crew.applied import Applied
from omium.adapters.crew.applying_copies import copy_crew, replace_llm, set_text
from omium.adapters.crew.export import export_workflow
from omium.adapters.crew.export_crew import CrewParts, read_crew
from omium.adapters.crew.export_llms import PARAMETERS
from omium.adapters.crew.export_texts import AGENT_TEXTS, TASK_TEXTS
from omium.adapters.crew.naming import is_flow
from omium.adapters.crew.policy import TaskPolicy
from omium.adapters.crew.subjects import get_subject
from omium.adapters.native_edits import is_of_inputs, name_all, read_checkpoint, read_concurrency
from omium.errors import ConfigError
from omium.redact import REDACTED
from omium.retry import RetryPolicy
from omium.spec.changes import FieldChange, SpecChange, diff_specs
from omium.spec.check import load_spec
from omium.spec.document import Node, Spec
from omium.spec.problems import join_pointer

_POLICIES: Final = ("retry", "timeout_s", "concurrency", "breaker", "checkpoint")
_FOR_PEOPLE: Final = ("name", "description", "version", "runtime")
"""Of the workflow or a node: they say nothing to CrewAI."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """One field that a document has otherwise than the code."""

    change: SpecChange
    field: FieldChange

    @property
    def place(self) -> list[str]:
        """The field's pointer, in parts."""
        return self.field.pointer[1:].split("/")


def apply_spec(obj: object, spec: Spec) -> Applied:
    """Return a copy of the crew that `obj` is or makes, with the edits of `spec`; of a flow its policies.

    What may be edited: an agent's role, goal, backstory, most turns, delegation, model and its parameters; a
    task's description, expected output and whether it asks a person; the policies of nodes. Raises
    `ConfigError` that names the pointer of each other difference, and for a spec that Omium's engine runs.
    """
    if spec.runtime.mode != "native":
        raise ConfigError("/runtime/mode is engine: this workflow runs on the server, without a crew.")
    subject = get_subject(obj)
    before = load_spec(export_workflow(subject, name=spec.name, mode="native"))
    changes = [_Edit(change, field) for change in diff_specs(before, spec) for field in _list_fields(change)]
    edits = [edit for edit in changes if not _says_nothing(edit)]
    if is_flow(subject):
        _refuse(edits, spec)
        return Applied(subject, list_policies(spec), origin=obj)
    parts = read_crew(subject)
    copied = copy_crew(parts)
    _refuse([edit for edit in edits if not _apply(copied, edit, spec)], spec)
    return Applied(copied.crew, list_policies(spec), copied.agents, origin=obj)


def list_policies(spec: Spec) -> dict[str, TaskPolicy]:
    """Return what the document says about retries, timeouts, slots, breakers and checkpoints, by node."""
    return {
        node.id: _read_policy(node)
        for node in spec.nodes
        if node.retry or node.timeout_s is not None or node.concurrency or node.breaker or node.checkpoint
    }


def _read_policy(node: Node) -> TaskPolicy:
    record, schema = read_checkpoint(node)
    return TaskPolicy(
        retry=RetryPolicy.from_json(node.retry.form()) if node.retry is not None else None,
        timeout_s=node.timeout_s,
        breaker=node.breaker,
        concurrency=read_concurrency(node),
        record=record,
        output_schema=schema,
    )


def _list_fields(change: SpecChange) -> Iterator[FieldChange]:
    if change.kind == "changed":
        yield from change.fields
    else:
        yield FieldChange("", None if change.kind == "added" else change.id, None)


def _says_nothing(edit: _Edit) -> bool:
    """Say whether a difference is none to CrewAI: a name, code as text, a policy, an `x-` of one's own."""
    change, field, name = edit.change, edit.field, edit.place[0]
    if change.what == "breaker" or edit.place[-1] == "source" or name == "x-native-because":
        return True
    if is_of_inputs(change, field):
        return True
    if name.startswith("x-"):
        return field.before is None or field.after is None
    return (change.what in ("spec", "node") and name in _FOR_PEOPLE) or (
        change.what == "node" and name in _POLICIES
    )


def _apply(copied: CrewParts, edit: _Edit, spec: Spec) -> bool:
    """Make the edit; False where it has no place."""
    if edit.change.kind != "changed":
        return False
    if REDACTED in str(edit.field.after):
        raise ConfigError(
            f"{_point(edit, spec)} holds {REDACTED}, which stands for a secret that was not exported:"
            " write the text without it."
        )
    if edit.change.what == "agent" and edit.change.id in copied.agents:
        return _edit_agent(copied.agents[edit.change.id], edit)
    return edit.change.what == "node" and _edit_task(copied.tasks[edit.change.id], edit)


def _edit_agent(agent: Any, edit: _Edit) -> bool:
    before, after = edit.field.before, edit.field.after
    match edit.place:
        case [name] if name in AGENT_TEXTS:
            set_text(agent, name, str(after or ""))
        case ["max_turns"] if isinstance(after, int):
            agent.max_iter = after
        case ["allow_delegation"]:
            agent.allow_delegation = bool(after)
        case ["llm", "model"] if after:
            return replace_llm(agent, {"model": after})
        case ["llm", "parameters", name] if name in PARAMETERS:
            return replace_llm(agent, {name: after})
        case ["llm", "parameters"]:  # the document had none, or has none any more
            given: Any = after or dict.fromkeys(before if isinstance(before, dict) else ())
            return given.keys() <= set(PARAMETERS) and replace_llm(agent, given)
        case _:
            return False
    return True


def _edit_task(task: Any, edit: _Edit) -> bool:
    match edit.place:
        case ["parameters", name] if name in TASK_TEXTS:
            set_text(task, name, str(edit.field.after or ""))
        case ["parameters", "human_input"]:
            task.human_input = bool(edit.field.after)
        case _:
            return False
    return True


def _point(edit: _Edit, spec: Spec) -> str:
    """Return the JSON pointer of the place, or what is only in the code by its id."""
    change = edit.change
    if not change.id:
        return edit.field.pointer
    here = [str(at) for at, node in enumerate(spec.nodes) if change.what == "node" and node.id == change.id]
    return join_pointer(f"/{change.what}s", *(here or [change.id])) + edit.field.pointer


def _refuse(edits: Sequence[_Edit], spec: Spec) -> None:
    """Raise `ConfigError` that names each of `edits`; returns where there is none."""
    if edits:
        raise ConfigError(
            f"{name_all([_tell(edit, spec) for edit in edits])}. Change the code and export it again, or take"
            " the edit back."
        )


def _tell(edit: _Edit, spec: Spec) -> str:
    whose = f" ({edit.change.what} {edit.change.id})" if edit.change.id else ""
    did = {"added": "is not in there", "removed": "is only in there", "changed": "is another in there"}
    return (
        f"{_point(edit, spec)} cannot be applied to the code that is served:"
        f" it {did[edit.change.kind]}{whose}"
    )
