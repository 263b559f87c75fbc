"""Node ids: the steps of a workflow, by ids that follow from their names."""

from __future__ import annotations

from typing import Any

from workflows import Workflow

from omium.adapters.node_ids import make_ids


def name_nodes(workflow: Workflow) -> dict[str, Any]:
    """Return the step functions by id, in the order of their names."""
    steps = find_steps(workflow)
    return dict(zip(make_ids(steps, otherwise="step"), steps.values(), strict=True))


def find_ids(workflow: Workflow) -> dict[str, str]:
    """Return the id of each step by its name in the workflow."""
    return dict(zip(find_steps(workflow), name_nodes(workflow), strict=True))


def find_steps(workflow: Workflow) -> dict[str, Any]:
    """Return the step functions by their names, methods and added functions alike."""
    return dict(sorted(workflow._get_steps().items()))  # noqa: SLF001  # it has no public list of them


def make_workflow(given: Any) -> Workflow:
    """Return a workflow: what a class makes without arguments, or what `instrument` was given."""
    found = given() if isinstance(given, type) else getattr(given, "source", given)
    assert isinstance(found, Workflow), "it was found by its class"
    return found


def name_workflow(workflow: Workflow) -> str:
    """Return the name that a workflow has where nobody gave it one: that of its class."""
    return str(workflow._workflow_name or type(workflow).__name__)  # noqa: SLF001  # None where nobody gave one
