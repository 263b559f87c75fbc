"""Who serves a workflow, in words: the command line of its worker, and what a worker will never be given.

Owns that line as far as it is known (a document's entrypoint, the code that was recorded). Serving itself is
worker.py's.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from omium.errors import NotFound, OmiumError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omium.cli.output import Output
    from omium.models.execution import ExecutionDetail
    from omium.sdk.registry import Workflow
    from omium.sdk.sync_client import Client

ASKED_MAX: Final = 20
"""Of so many workflows a worker that starts asks how they are stored."""


def worker_line(detail: ExecutionDetail) -> str:
    """Return the command line that serves an execution, as far as it is known which code that is."""
    runner, code = detail.runner, detail.code
    cwd = runner.cwd or (code.cwd if code else None)
    entrypoint = (code.entrypoint if code else None) or f"PATH.py:{detail.workflow}"
    line = shlex.join(runner.command if "worker" in runner.command else ["omium", "worker", entrypoint])
    return f"cd {shlex.quote(cwd)} && {line}" if cwd and Path(cwd) != Path.cwd() else line


def warn_of_engine_mode(output: Output, client: Client, served: Mapping[str, Workflow]) -> None:
    """Say which of the workflows that a worker serves the server runs itself, so that none is claimed here.

    Nothing where the key may not look, or the server is away: serving does not depend on it.
    """
    for name in sorted(served)[:ASKED_MAX]:
        try:
            stored = client.get_workflow(name)
        except NotFound:
            continue
        except OmiumError:
            return
        if stored.mode == "engine" and not stored.archived:
            output.warn(
                f"{name} is stored in engine mode: the server runs it, and this worker is never given it."
                f" {_remedy(served[name])}"
            )


def _remedy(workflow: Workflow) -> str:
    if workflow.versions is None:
        return "Give the function another name: @omium.workflow(name=...)."
    entrypoint = min(workflow.versions.entrypoints, key=len)
    return (
        f"Let workers run it: omium export {shlex.quote(entrypoint)} --mode native --import"
        " (with --name NAME beside it, under another name)."
    )
