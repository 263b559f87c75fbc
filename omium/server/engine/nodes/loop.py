"""The loop: one in each server, which goes on with executions of specs in the background.

It sweeps what is due, evaluates conditions between two transactions, and runs the tasks that the server does
itself, tenants in turn, at most `concurrency` at a time. Announcements of commits wake it; while nothing is
due it looks once in `POLL_S`, because other servers' commits announce nothing here. Several servers on one
database never run a task twice at once: each grant is an epoch under the execution's lock.

If the process dies, its tasks run out with their leases. A server that stops gives them back first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from omium.clock import US_PER_S
from omium.errors import Problem, ShuttingDown
from omium.jsonvalue import JsonValue
from omium.logs import get_logger
from omium.server.db.tx import Tx
from omium.server.engine.grants import digest_token, new_token
from omium.server.engine.live import NODES_TOPIC
from omium.server.engine.nodes.broken import past_broken, work_of
from omium.server.engine.nodes.claiming import Claim, TaskScope, claim_tasks
from omium.server.engine.nodes.conditions import EndingNode, Question, judge_node, list_ending
from omium.server.engine.nodes.sweeps import sweep_nodes
from omium.server.engine.nodes.task_runs import RunTask, Secret, TaskRun
from omium.server.engine.parts import EngineParts
from omium.server.live import LiveHub, Watcher
from omium.server.store import due

POLL_S: Final = 5.0
BUSY_S: Final = 1.0
"""After a fault of the database."""
AT_ONCE: Final = 32
"""Tasks that one server runs at a time."""
FRUITLESS: Final = 8
"""Claims in a row that find only what others are at work on, before the loop waits."""
ENDINGS: Final = 32
"""Nodes whose conditions are judged in one go."""
EDGE_TRIES: Final = 3

log = get_logger(__name__)

Evaluate: TypeAlias = Callable[[str, str, str, Mapping[str, JsonValue]], Awaitable[JsonValue]]
"""The value of an expression: by tenant, the document's digest, source, and what it reads."""


class NodeLoop:
    """Goes on with executions of specs until `stop`."""

    def __init__(
        self,
        parts: EngineParts,
        live: LiveHub,
        *,
        run_task: RunTask,
        runs: frozenset[str],
        evaluate: Evaluate,
        fault: type[Exception],
        secret: Secret,
        concurrency: int = AT_ONCE,
    ) -> None:
        """`run_task` does a node whose type is in `runs`; `evaluate` raises `fault` for what has no value."""
        self._parts = parts
        self._live = live
        self._run_task = run_task
        self._runs = runs
        self._evaluate = evaluate
        self._fault = fault
        self._secret = secret
        self._concurrency = concurrency
        self._tasks: dict[asyncio.Task[None], TaskRun] = {}
        self._judging: asyncio.Task[None] | None = None
        self._main: asyncio.Task[None] | None = None
        self._after_tenant = ""
        self._ended = asyncio.Event()

    def start(self) -> None:
        self._main = asyncio.create_task(self._repeat(), name="nodes of specs")

    async def stop(self) -> None:
        """End, and give back what runs: another server, or this one after its start, goes on with it."""
        beside = [each for each in (self._main, self._judging) if each is not None]
        for task in [*beside, *self._tasks]:
            task.cancel()
        runs = list(self._tasks.values())
        await asyncio.gather(*beside, *self._tasks, return_exceptions=True)
        for run in runs:
            await run.give_back()
        self._tasks.clear()
        self._main = self._judging = None

    # ---- rounds

    async def run_once(self) -> int:
        """Do what can be done now, and return how much that was; tasks go on beside it."""
        done = await self._sweep()
        done += self._judge()
        return done + await self._claim()

    async def settle(self) -> None:
        """Wait until nothing is to be done any more and nothing runs: for tests and commands."""
        while await self.run_once() or self._tasks or self._judging is not None:
            waiting: list[asyncio.Task[None]] = list(self._tasks)
            if self._judging is not None:
                waiting.append(self._judging)
            if waiting:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    async def _repeat(self) -> None:
        with self._live.watch(*NODES_TOPIC) as watcher:
            while not watcher.closed:
                try:
                    done = await self.run_once()
                    pause_s = 0.0 if done else await self._pause_s()
                except ShuttingDown:
                    return
                except Problem as problem:
                    log.warning("nodes were turned away", code=problem.code)
                    done, pause_s = 0, BUSY_S
                except Exception:  # the boundary: what is wrong now may be well in a moment
                    log.exception("nodes failed")
                    done, pause_s = 0, BUSY_S
                if not done:
                    await self._wait(watcher, pause_s)

    async def _wait(self, watcher: Watcher, pause_s: float) -> None:
        """Wait for an announcement, the end of a task, or the time of the next timer."""
        self._ended.clear()
        ended = asyncio.create_task(self._ended.wait())
        news = asyncio.create_task(watcher.wait(pause_s))
        try:
            await asyncio.wait({ended, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (ended, news):
                each.cancel()
            await asyncio.gather(ended, news, return_exceptions=True)

    async def _pause_s(self) -> float:
        """Return for how long nothing is due."""
        return await self._parts.db.read(_read_pause_s)

    # ---- what a round does

    async def _sweep(self) -> int:
        before_us = self._parts.policy.expiry_us
        if not await self._parts.db.read(lambda tx: due.is_anything_due(tx, tx.lease_now_us - before_us)):
            return 0
        sweeping = self._parts.db.write(partial(sweep_nodes, parts=self._parts))
        return await past_broken(self._parts, sweeping, 1)

    async def _claim(self) -> int:
        begun = fruitless = 0
        free = self._concurrency - len(self._tasks)
        while free > 0 and fruitless < FRUITLESS and await self._parts.db.read(due.is_anything_ready):
            tokens = [new_token() for _ in range(free)]
            claiming = self._parts.db.write(partial(self._take, tokens=tokens))
            claim = await past_broken(self._parts, claiming, Claim(None, [], self._after_tenant))
            if claim.looked_at is None:
                break
            self._after_tenant = claim.looked_at
            for row in claim.tasks:
                run = TaskRun(self._parts, row, self._run_task, self._secret)
                task = asyncio.create_task(run.run(), name=f"node {row.execution_id} {row.path}")
                self._tasks[task] = run
                task.add_done_callback(self._note_end)
            fruitless += claim.execution is None
            begun += claim.execution is not None
            free -= len(claim.tasks)
        return begun

    def _take(self, tx: Tx, tokens: list[str]) -> Claim:
        scope = TaskScope("server", handlers=sorted(self._runs), after_tenant=self._after_tenant)
        digests = [digest_token(token) for token in tokens]
        return claim_tasks(tx, self._parts, scope, len(digests), digests, "server")

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._ended.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the server failed", error=repr(error))

    # ---- conditions

    def _judge(self) -> int:
        """Begin to judge what has ended, unless that is under way."""
        if self._judging is None:
            self._judging = asyncio.create_task(self._judge_all(), name="conditions of edges")
            self._judging.add_done_callback(self._note_judged)
        return 0

    def _note_judged(self, task: asyncio.Task[None]) -> None:
        self._judging = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("conditions could not be judged", error=repr(error))

    async def _judge_all(self) -> None:
        while (endings := await past_broken(self._parts, self._parts.db.read(self._list_ending), None)) != []:
            for ending in endings or ():  # without any: one that could not be read is put off
                await past_broken(self._parts, self._judge_one(ending), None)
            self._ended.set()

    def _list_ending(self, tx: Tx) -> list[EndingNode] | None:
        return list_ending(tx, self._parts, ENDINGS) if due.is_anything_ending(tx) else []

    async def _judge_one(self, ending: EndingNode) -> None:
        with work_of(ending.tenant_id, ending.execution_id):
            conditions, fault = await self._ask(ending)
        await self._parts.db.write(
            partial(judge_node, parts=self._parts, ending=ending, conditions=conditions, fault=fault)
        )

    async def _ask(self, ending: EndingNode) -> tuple[dict[str, bool], str | None]:
        """Evaluate the conditions of a node; the second says why one has no value."""
        answers = dict.fromkeys((question.edge for question in ending.questions), False)
        for question in ending.questions:
            try:
                value = await self._evaluate_patiently(ending, question)
            except TimeoutError:
                return answers, f"The condition of {question.edge} could not be evaluated in time."
            except self._fault as fault:
                return answers, f"The condition of {question.edge}: {fault}"
            if not isinstance(value, bool):
                return answers, f"The condition of {question.edge} is neither true nor false."
            answers[question.edge] = value
            if value and ending.is_choice:
                break
        return answers, None

    async def _evaluate_patiently(self, ending: EndingNode, question: Question) -> JsonValue:
        """Evaluate a condition; a machine that is too busy is asked again."""
        asked = (ending.tenant_id, ending.spec_digest, question.source, question.values)
        for _ in range(EDGE_TRIES - 1):
            with contextlib.suppress(TimeoutError):
                return await self._evaluate(*asked)
        return await self._evaluate(*asked)


def _read_pause_s(tx: Tx) -> float:
    pause_us = due.find_pause_us(tx)
    return POLL_S if pause_us is None else min(max(pause_us / US_PER_S, 0.01), POLL_S)
