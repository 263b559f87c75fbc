"""Tasks of a worker: what it was granted, each in a thread or in the loop, and the way back to the server.

Owns the set of executions that run in this process, what becomes of those whose input cannot be restored, and
draining. What an execution's life is stands in life.py; compensations are compensating.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from omium.errors import OmiumError, Suspension
from omium.sdk import life, runner
from omium.sdk.calls import Call
from omium.sdk.compensating import compensate
from omium.sdk.coroutines import is_async
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow, drive_sync
from omium.sdk.inputs import restore_call
from omium.sdk.loop_thread import LoopThread
from omium.sdk.pinned import as_pinned, find_served
from omium.sdk.registry import Workflow
from omium.sdk.session import Session
from omium.sdk.starting import Granted, make_driving

_log = logging.getLogger("omium.worker")


class Running:
    """The executions that this worker runs now."""

    def __init__(self, session: Session, workflows: Mapping[str, Workflow]) -> None:
        self._session = session
        self._workflows = workflows
        self._changed = threading.Condition()
        self._drivings: set[Driving] = set()
        self._draining = False
        self.left: list[Driving] = []
        """What ended here without the server having been told."""
        self._loop: LoopThread | None = None

    def begin(self, granted: Granted, release: Callable[[], None]) -> None:
        """Run an execution beside others; `release` is called when it has ended or was given back."""
        driving = self._enter(granted)

        def end() -> None:
            self._leave(driving)
            release()

        def work() -> None:
            try:
                self._run(granted, driving)
            except BaseException as error:  # a boundary: it's recorded; the worker goes on with others
                _report(driving, error)
            finally:
                end()

        workflow = find_served(self._workflows, granted)
        if is_async(workflow.function) and not granted_compensations(granted):
            self._begin_async(granted, driving, end)
        else:
            threading.Thread(target=work, name=f"omium-{driving.execution_id}", daemon=True).start()

    def run_here(self, granted: Granted) -> Any:
        """Run an execution in this thread and return its output; raises what ended it."""
        driving = self._enter(granted)
        try:
            return self._run(granted, driving)
        finally:
            self._leave(driving)

    def drain(self) -> None:
        """Give every execution back before its next step."""
        with self._changed:
            self._draining = True
            for driving in self._drivings:
                driving.stop_reason = "drain"

    def wait(self) -> None:
        """Return when nothing runs any more."""
        with self._changed:
            while self._drivings:
                self._changed.wait(1.0)  # in short waits, so that signals are handled in between

    def close(self) -> None:
        """End the event loop, if there was one."""
        if self._loop is not None:
            self._loop.close()

    def list_drivings(self) -> list[Driving]:
        """Return what runs now."""
        with self._changed:
            return [*self._drivings]

    def _run(self, granted: Granted, driving: Driving) -> Any:
        assert granted.grant is not None
        if granted_compensations(granted):
            compensate(self._session, driving, granted.grant["compensations"])
            return None
        workflow, call = drive_sync(self._restore(granted, driving), self._session.link.ports)
        return runner.drive(self._session, driving, workflow, call)

    def _restore(self, granted: Granted, driving: Driving) -> Flow[tuple[Workflow, Call]]:
        """Return what runs, as its version says, with its arguments; what cannot be ends the execution."""
        assert granted.grant is not None
        try:
            workflow = yield from as_pinned(find_served(self._workflows, granted), granted)
            recorded, types = granted.grant.get("input"), self._session.link.types
            call = restore_call(workflow.function, recorded, types, workflow.options.ignore)
        except Exception as error:  # whatever it is, the lease must not be left to run out
            yield from life.end_quietly(driving, error)
            raise
        return workflow, call

    def _begin_async(self, granted: Granted, driving: Driving, end: Callable[[], None]) -> None:
        async def work() -> None:
            try:
                workflow, restored = await self._session.drive_async(self._restore(granted, driving))
                await runner.adrive(self._session, driving, workflow, restored)
            except BaseException as error:  # a boundary: it's recorded; the worker goes on with others
                _report(driving, error)
            finally:
                end()

        if self._loop is None:
            self._loop = LoopThread()
        self._loop.submit(work())

    def _enter(self, granted: Granted) -> Driving:
        workflow = find_served(self._workflows, granted)
        driving = make_driving(granted, self._session.link, workflow.options)
        with self._changed:
            self._drivings.add(driving)
            if self._draining:  # it was granted while we said goodbye
                driving.stop_reason = "drain"
        return driving

    def _leave(self, driving: Driving) -> None:
        with self._changed:
            self._drivings.discard(driving)
            if driving.untold:
                self.left.append(driving)
            self._changed.notify_all()


def granted_compensations(granted: Granted) -> bool:
    """Say whether a grant is for compensations only."""
    return bool(granted.grant and granted.grant["compensations"])


def _report(driving: Driving, error: BaseException) -> None:
    if isinstance(error, Suspension):
        _log.info("%s: %s", driving.execution_id, error)
    elif isinstance(error, OmiumError):
        _log.warning("%s (%s) ended: %s", driving.execution_id, driving.workflow, error)
    else:
        _log.warning(
            "%s (%s) failed: %s: %s", driving.execution_id, driving.workflow, type(error).__name__, error
        )
