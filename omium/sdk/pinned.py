"""Pinned: an execution of a stored native workflow runs the framework's object as its version says.

Owns how a grant's execution finds what this process serves, and the one read of the version's document (kept
by its digest by whoever makes the workflow). What a document changes in an object is the adapter's
(`Versions`). A version names no code: only what the command line named is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from omium.errors import ConfigError, ConnectionLost, Problem
from omium.sdk.flows import Flow, invoke
from omium.sdk.registry import PinnedVersion, Workflow
from omium.sdk.starting import Granted, call, get_execution

_SENTENCE: Final = (
    "{name} is a stored workflow in native mode (version {version}), and what is served here under that name "
    "is code that a spec cannot change. Serve the framework's own object: omium worker PATH.py:OBJECT"
)


def find_served(workflows: Mapping[str, Workflow], granted: Granted) -> Workflow:
    """Return what this process runs for a granted execution: by its workflow's name, else by its entrypoint.

    Raises `ConfigError` where it serves nothing of the kind, which the server does not grant.
    """
    name = str(granted.execution["workflow"])
    pinned = granted.grant.get("pinned") if granted.grant is not None else None
    found = workflows.get(name) or _find_native(
        workflows, (pinned or {}).get("entrypoint"), pinned is not None
    )
    if found is None:
        raise ConfigError(f"{name} is not served here; there is {', '.join(sorted(workflows)) or 'nothing'}.")
    return found


def find_for(workflows: Mapping[str, Workflow], execution_id: str) -> Flow[Workflow | None]:
    """Return what this process would run for an execution that exists, None where it knows nothing of it."""
    detail = yield from get_execution(execution_id)
    named = workflows.get(str(detail["workflow"]))
    if named is not None or detail.get("version") is None:
        return named
    return _find_native(workflows, None, True)


def _find_native(
    workflows: Mapping[str, Workflow], entrypoint: str | None, is_pinned: bool
) -> Workflow | None:
    """Return the object of that entrypoint, or the only one there is."""
    objects = [each for each in workflows.values() if each.versions is not None] if is_pinned else []
    chosen = [each for each in objects if each.versions and entrypoint in each.versions.entrypoints]
    return chosen[0] if chosen else objects[0] if len(objects) == 1 else None


def as_pinned(workflow: Workflow, granted: Granted) -> Flow[Workflow]:
    """Return `workflow` as the version that a grant is pinned to says; as it is where there is none.

    Raises `ConfigError` for a version that the object cannot follow.
    """
    pinned: Mapping[str, Any] | None = granted.grant.get("pinned") if granted.grant is not None else None
    if pinned is None:
        return workflow
    name = str(granted.execution["workflow"])
    if workflow.versions is None:
        raise ConfigError(_SENTENCE.format(name=name, version=pinned["version"]))
    known = workflow.versions.find(str(pinned["digest"]))
    if known is not None:
        return known
    path = f"/v1/workflows/{quote(pinned['workflow_id'], safe='')}/versions/{pinned['version']}"
    try:
        stored = yield from call("GET", path)
    except Problem as problem:
        if not problem.retryable:
            raise
        # Not a failure of the execution: its lease runs out, and it's claimed again.
        raise ConnectionLost(
            f"Version {pinned['version']} of {name} could not be read: {problem}"
        ) from problem
    version = PinnedVersion(name, int(pinned["version"]), str(pinned["digest"]), stored["document"])
    made = yield from invoke(workflow.versions.make, version)
    assert isinstance(made, Workflow)
    return made
