"""Objects of frameworks as workflows: what `instrument` registers, and how a call of it becomes an execution.

Owns what all instrumented objects have in common: a name, the module whose code runs, the workflow that
`omium worker` and `omium run` find, and that the caller is given the framework's own result while Omium
records a part of it. Loads no framework.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from omium.sdk.calling import find_active_frame
from omium.sdk.decorators import workflow
from omium.sdk.frames import shorten
from omium.sdk.registry import Workflow, find_workflow

ASIDE = "aside"
_IGNORED = ("options", ASIDE)  # they belong to a process, not to the execution
_ADAPTERS = "omium.adapters."


def find_calling_module() -> str:
    """Return the module that calls an adapter: its code is what runs, and a worker loads it."""
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_ADAPTERS):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", __name__)) if frame is not None else __name__


class AsyncWorkflow:
    """A function `work(input, options)` that gives (result, what is recorded of it), as a workflow."""

    def __init__(
        self,
        name: str,
        work: Callable[[Any, dict[str, Any]], Coroutine[Any, Any, tuple[Any, Any]]],
        *,
        module: str,
        durability: Literal["strict", "relaxed"] | None = None,
        takeover: Literal["never", "auto"] = "never",
        queue: str = "default",
    ) -> None:
        async def arun(
            input: Any,  # noqa: A002  # what people give with `omium run --input input=...`
            options: dict[str, Any] | None = None,
            aside: list[Any] | None = None,
        ) -> Any:
            result, recorded = await work(input, options or {})
            if aside is not None:
                aside.append(result)
            return recorded

        self._work = work
        arun.__module__, arun.__qualname__ = module, ""
        decorate = workflow(name=name, ignore=_IGNORED, durability=durability, takeover=takeover, queue=queue)
        self._arun = decorate(arun)
        self.workflow: Workflow | None = find_workflow(self._arun)

    async def __call__(self, given: Any, options: dict[str, Any]) -> Any:
        """Run as an execution and return the framework's own result; inside one, as a part of it."""
        if find_active_frame() is not None:
            return (await self._work(given, options))[0]
        aside: list[Any] = []
        try:
            recorded = await self._arun(given, options, aside)
        except BaseException as error:
            shorten(error)
            raise
        return aside[-1] if aside else recorded


class SyncWorkflow:
    """As `AsyncWorkflow`, for frameworks that are called."""

    def __init__(
        self,
        name: str,
        work: Callable[[Any, dict[str, Any]], tuple[Any, Any]],
        *,
        module: str,
        durability: Literal["strict", "relaxed"] | None = None,
        takeover: Literal["never", "auto"] = "never",
        queue: str = "default",
    ) -> None:
        def run(
            input: Any,  # noqa: A002  # what people give with `omium run --input input=...`
            options: dict[str, Any] | None = None,
            aside: list[Any] | None = None,
        ) -> Any:
            result, recorded = work(input, options or {})
            if aside is not None:
                aside.append(result)
            return recorded

        self._work = work
        run.__module__, run.__qualname__ = module, ""
        decorate = workflow(name=name, ignore=_IGNORED, durability=durability, takeover=takeover, queue=queue)
        self._run = decorate(run)
        self.workflow: Workflow | None = find_workflow(self._run)

    def __call__(self, given: Any, options: dict[str, Any]) -> Any:
        """Run as an execution and return the framework's own result; inside one, as a part of it."""
        if find_active_frame() is not None:
            return self._work(given, options)[0]
        aside: list[Any] = []
        try:
            recorded = self._run(given, options, aside)
        except BaseException as error:
            shorten(error)
            raise
        return aside[-1] if aside else recorded
