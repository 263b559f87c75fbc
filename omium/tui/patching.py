"""What a replay can begin with instead: another input, output, state, prompt, or version of the workflow.

Owns choosing what to edit and editing it. What follows from it is the plan's (replaying.py). Nothing here
changes anything, except that an edited prompt is saved as a new version of its workflow, which is said first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from omium.jsonvalue import JsonValue
from omium.models.execution import ExecutionDetail, Step
from omium.models.replay import Edit
from omium.models.wire import Page
from omium.models.workflows import SavedWorkflow, SaveWorkflow, WorkflowVersion, WorkflowVersionDocument
from omium.states import StepStatus
from omium.tui.asking import Asking
from omium.tui.choosing import Choice, Choose
from omium.tui.json_edit import Edited, JsonEdit
from omium.words import ago, json_text, now_us, size

_NOTE_LENGTH_MAX: Final = 80
_NULL_BYTES: Final = 4  # `null` itself is whole


@dataclass(frozen=True, slots=True)
class Patch:
    """One thing that the replay begins with: an edited value, or a version of the workflow."""

    edit: Edit | None = None
    version: int | None = None


Patched = Callable[[Patch], None]


def ask_patch(page: Asking, detail: ExecutionDetail, then: Patched, *, step: str | None = None) -> None:
    """Ask what shall be another, let it be edited, and hand it to `then`; what `step` gave comes first."""
    choices = list(_choices(detail, step))
    title = f"What shall be another in the replay of {detail.workflow}?"

    def chosen(key: str | None) -> None:
        kind, _, path = (key or "").partition(":")
        match kind:
            case "output":
                _edit_output(page, detail, path, then)
            case "input":
                _edit_input(page, detail, path, then)
            case "state":
                _edit_state(page, detail, path, then)
            case "prompt":
                _edit_prompt(page, detail, path, then)
            case "version":
                _choose_version(page, detail, then)
            case _:
                pass

    page.dashboard.push_screen(Choose(title, choices), chosen)


def _choices(detail: ExecutionDetail, wanted: str | None) -> Iterator[Choice]:
    """Yield what can be edited: of the step `wanted` first, then inputs, other steps from the newest."""
    steps = [each for each in detail.steps if each.superseded_seq is None and not each.key.startswith("~")]
    steps.sort(
        key=lambda step: (step.key != wanted, step.status is not StepStatus.FAILED, -step.started_at_us)
    )
    of_spec = detail.version is not None
    known = any(each.key == wanted for each in steps)
    for step in steps[:1] if known else []:
        yield _output_choice(step)
        if of_spec:
            yield Choice(f"prompt:{step.name}", f"Prompt of {step.name}", "as a new version of the workflow")
    if isinstance(detail.input, dict):
        for name, value in detail.input.items():
            yield Choice(f"input:{name}", f"Input {name}", _short(value))
    yield Choice("input:", "Input, whole", "" if isinstance(detail.input, dict) else _short(detail.input))
    for step in steps[1:] if known else steps:
        yield _output_choice(step)
    for saved in detail.checkpoints:
        if saved.superseded_seq is None:
            yield Choice(f"state:{saved.id}", f"State {saved.name}", size(saved.state_size_bytes))
    if of_spec:
        yield Choice("version:", "The workflow itself", f"another version than {detail.version}")


def _output_choice(step: Step) -> Choice:
    if step.status is StepStatus.COMPLETED:
        note = _short(step.output) if _is_whole(step) else size(step.output_size_bytes)
        return Choice(f"output:{step.key}", f"Output of {step.key}", note)
    return Choice(f"output:{step.key}", f"Output of {step.key}", "it failed: say what it should have given")


def _short(value: object) -> str:
    text = json_text(value)
    return text if len(text) <= _NOTE_LENGTH_MAX else f"{text[:_NOTE_LENGTH_MAX]}…"


def _is_whole(step: Step) -> bool:
    return step.output is not None or (step.output_size_bytes or 0) <= _NULL_BYTES


# ------------------------------------------------------------------------------------------- values
def _edit_value(
    page: Asking,
    title: str,
    target: Literal["input", "output", "state"],
    path: str,
    value: JsonValue,
    then: Patched,
    note: str = "",
) -> None:
    def edited(made: Edited | None) -> None:
        if made is not None:
            then(Patch(Edit(target=target, path=path, value=made.value, reason=made.reason)))

    page.dashboard.push_screen(JsonEdit(title, value, note=note), edited)


def _edit_output(page: Asking, detail: ExecutionDetail, path: str, then: Patched) -> None:
    step = next(each for each in detail.steps if each.key == path)
    title = f"What {path} gives"
    if step.status is not StepStatus.COMPLETED or _is_whole(step):
        note = "It has given nothing; what you write here is taken as its result."
        failed = step.status is not StepStatus.COMPLETED
        value: Any = None if failed else step.output
        _edit_value(page, title, "output", path, value, then, note if failed else "")
        return
    page.fetch(
        lambda: page.client.get_step_value(detail.id, path=path),
        lambda found: _edit_value(page, title, "output", path, _json(found.output), then),
        name="patch",
    )


def _edit_input(page: Asking, detail: ExecutionDetail, name: str, then: Patched) -> None:
    value: Any = detail.input
    if name and isinstance(value, dict):
        value = value.get(name)
    title = f"Input {name} of {detail.workflow}" if name else f"Input of {detail.workflow}"
    _edit_value(page, title, "input", name, value, then, "Whatever depends on it runs again.")


def _edit_state(page: Asking, detail: ExecutionDetail, checkpoint_id: str, then: Patched) -> None:
    name = next(each.name for each in detail.checkpoints if each.id == checkpoint_id)
    page.fetch(
        lambda: page.client.get_checkpoint(detail.id, checkpoint_id),
        lambda found: _edit_value(page, f"State {name}", "state", name, _json(found.state), then),
        name="patch",
    )


def _json(value: object) -> JsonValue:
    return cast("JsonValue", value)  # what the server sends is JSON


# ------------------------------------------------------------------------------------------- the workflow
def _edit_prompt(page: Asking, detail: ExecutionDetail, node_id: str, then: Patched) -> None:
    """Edit a node's prompt in the version that ran, and save it as a new version to replay on."""
    ran = detail.version
    assert ran is not None, "only a workflow from a document has prompts that are known"

    def found(version: WorkflowVersionDocument) -> None:
        document: Any = copy.deepcopy(version.document)
        node: Any = next((each for each in document.get("nodes", []) if each.get("id") == node_id), {})
        parameters = node.get("parameters", {})
        if not isinstance(parameters.get("prompt"), str):
            page.dashboard.notify(
                f"{node_id} has no prompt of its own; edit the workflow (page 4).",
                severity="warning",
                markup=False,
            )
            return

        def edited(made: Edited | None) -> None:
            if made is None:
                return
            parameters["prompt"] = made.value
            note = made.reason or f"another prompt for {node_id}, to replay {detail.id}"
            command = SaveWorkflow(document=document, note=note[:200], expected_version=ran)
            page.act(f"Save {detail.workflow}", lambda: page.client.save_workflow(command), saved)

        page.dashboard.push_screen(
            JsonEdit(
                f"Prompt of {node_id}",
                parameters["prompt"],
                note=f"It is saved as a new version of {detail.workflow}, and the replay runs on that.",
                send="Save, and plan",
                check=lambda value: None if isinstance(value, str) else "A prompt is a text.",
            ),
            edited,
        )

    def saved(answer: SavedWorkflow) -> None:
        then(Patch(version=answer.version))

    page.fetch(lambda: page.client.get_workflow_version(detail.workflow, ran), found, name="patch")


def _choose_version(page: Asking, detail: ExecutionDetail, then: Patched) -> None:
    def found(versions: Page[WorkflowVersion]) -> None:
        at_us = now_us()
        choices = [
            Choice(
                str(each.version), f"Version {each.version}", f"{ago(each.created_at_us, at_us)}  {each.note}"
            )
            for each in versions.items
        ]
        page.dashboard.push_screen(Choose(f"Which version of {detail.workflow}?", choices), chosen)

    def chosen(key: str | None) -> None:
        if key is not None:
            then(Patch(version=int(key)))

    page.fetch(lambda: page.client.list_workflow_versions(detail.workflow, limit=200), found, name="patch")
