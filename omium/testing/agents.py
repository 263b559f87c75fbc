"""`python -m omium.testing.agents FOLDER THREADS [finish]`: agents whose work is interrupted.

Each thread runs one order after another: a durable workflow with a step, a side effect and another step.
What was acknowledged is written down (evidence.py) behind each step; what the effect did is a line in the
world. A process that was killed leaves orders unfinished: the next one goes on with them first. With
`finish`, nothing new is begun, and otherwise only as much as is allowed (evidence.py). Where the outcome of
an effect is unknown, the agents do what a person would: look at the world, and decide.
"""

from __future__ import annotations

import os
import queue
import secrets
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import omium
from omium.errors import EffectUnresolved, OmiumError, Suspended
from omium.models.replay import DecideEffect
from omium.states import EffectDecision
from omium.testing.evidence import Line, Notebook, gather, may_begin
from omium.testing.scratch import Scratch

TRIES_MAX: Final = 100
PAUSE_S: Final = 0.2
IDLE_S: Final = 0.05
_FILLING: Final = "as long as a usual answer of a small model, so that pages fill. " * 8


@omium.step
def plan(name: str) -> dict[str, str]:
    """Make a result that no other run of this step would make."""
    return {"mark": secrets.token_hex(8), "order": name, "text": _FILLING}


@omium.step(effect=True)
def charge(world: str, name: str) -> dict[str, str]:
    """Change the world: one line for each time that this happens."""
    file = os.open(world, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{name}\n".encode())
    finally:
        os.close(file)
    return {"mark": f"charged-{name}"}


@omium.step
def ship(planned: dict[str, str], charged: dict[str, str]) -> dict[str, str]:
    """Make another result, out of the first ones."""
    return {"mark": secrets.token_hex(8), "after": planned["mark"], "paid": charged["mark"]}


@omium.workflow
def order(folder: str, name: str) -> str:
    """Plan, charge, ship; write down each acknowledgement as soon as it is one."""
    scratch = Scratch(Path(folder))
    with Notebook(scratch.evidence) as notebook:

        def note(step: str, result: dict[str, str]) -> None:
            notebook.write(Line("step", name, omium.execution_id() or "", step, result["mark"]))

        planned = plan(name)
        note("plan", planned)
        charged = charge(str(scratch.world), name)
        note("charge", charged)
        shipped = ship(planned, charged)
        note("ship", shipped)
    return omium.execution_id() or ""


class Agents:
    """Threads that run orders until they are told to stop."""

    def __init__(self, scratch: Scratch, threads: int, *, finish: bool) -> None:
        self._scratch = scratch
        self._threads = threads
        self._finish = finish
        self._unfinished: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in sorted(gather(scratch).unfinished):
            self._unfinished.put(name)
        self._stopping = threading.Event()
        self._failures: list[str] = []

    def run(self) -> int:
        """Run until SIGTERM, or with `finish` until nothing is unfinished; returns the exit code."""
        signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self._threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for failure in self._failures:
            sys.stderr.write(f"{failure}\n")
        return 1 if self._failures else 0

    def _work(self, thread: int) -> None:
        try:
            self._run_orders(thread)
        except BaseException as error:  # a boundary: else the thread would end, and nobody would know
            self._failures.append(repr(error))
            raise

    def _run_orders(self, thread: int) -> None:
        start = secrets.token_hex(4)
        number = 0
        with Notebook(self._scratch.evidence) as notebook:
            while not self._stopping.is_set():
                try:
                    name = self._unfinished.get_nowait()
                except queue.Empty:
                    if self._finish:
                        return
                    if not may_begin(self._scratch):
                        self._stopping.wait(IDLE_S)
                        continue
                    number += 1
                    name = f"{start}-{thread}-{number}"
                    notebook.write(Line("begun", name))
                if not self._run(name, notebook):
                    return

    def _run(self, name: str, notebook: Notebook) -> bool:
        """Run one order to its end, whatever happens to the server meanwhile."""
        trouble: BaseException | None = None
        for _ in range(TRIES_MAX):
            try:
                inputs = {"folder": str(self._scratch.folder), "name": name}
                execution_id = omium.run_workflow(order, inputs, idempotency_key=name)
            except Suspended as suspended:
                trouble = suspended
                if suspended.reason == "effect":
                    self._decide(suspended.execution_id, name, notebook)
            except EffectUnresolved as unresolved:  # taken up again, and nobody has decided yet
                trouble = unresolved
                self._decide(str(unresolved.members["execution_id"]), name, notebook)
            except OmiumError as error:  # the server is away, or lost this lease while it was
                trouble = error
                time.sleep(PAUSE_S)
            else:
                notebook.write(Line("ended", name, execution_id))
                return True
        self._failures.append(f"{name} did not end: {trouble!r}")
        return False

    def _decide(self, execution_id: str, name: str, notebook: Notebook) -> None:
        world = self._scratch.world
        happened = world.exists() and name in world.read_text().split("\n")
        decision = EffectDecision.CONFIRM if happened else EffectDecision.REDO
        output: Any = {"mark": f"charged-{name}"} if happened else None
        try:
            with omium.Client(retry_for_s=10.0) as client:
                for effect in client.each(client.list_effects, execution_id):
                    if effect.state == "unknown":
                        command = DecideEffect(decision=decision, output=output, reason="seen in the world")
                        client.decide_effect(execution_id, effect.effect_key, command)
                        notebook.write(Line("decided", name, execution_id))
        except OmiumError:  # the server is away: the next try is told again that a decision is needed
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    chosen = Scratch(Path(sys.argv[1]))
    sys.exit(Agents(chosen, int(sys.argv[2]), finish="finish" in sys.argv[3:]).run())
