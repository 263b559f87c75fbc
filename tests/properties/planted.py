"""Planted bugs for the machines: the smallest wrong turns that a colleague could take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from omium.breaker import circuit, window
from omium.server.db.sql import Sql
from omium.server.engine import (
    breakers,
    failures,
    fence,
    grants,
    inbox,
    losses,
    steps,
)
from omium.server.store import breakers as breaker_rows
from omium.server.store import executions as rows
from omium.server.store import failures as failure_rows
from omium.server.store import steps as step_rows
from omium.states import EventType, ExecutionStatus

Plant = Callable[[pytest.MonkeyPatch], None]


def _change(patch: pytest.MonkeyPatch, module: Any, name: str, old: str, new: str) -> None:
    """Replace a part of the statement `name` of `module`."""
    sql: Sql = getattr(module, name)
    assert old in sql.text, sql.text
    patch.setattr(module, name, Sql(sql.text.replace(old, new)))


# ---- executions and steps


def without_a_fence(patch: pytest.MonkeyPatch) -> None:
    """Any driver that ever had a grant may write."""
    fenced = "epoch = :epoch AND lease_digest = :lease_digest"
    _change(patch, rows, "FENCE", fenced, ":epoch > 0 AND :lease_digest IS NOT NULL")


def with_a_fence_of_time(patch: pytest.MonkeyPatch) -> None:
    """A lease that has run out refuses its driver, though nobody else was granted."""
    timely = "status = 'running' AND lease_touched_us > :lease_now_us - 35000000"
    _change(patch, rows, "FENCE", "status = 'running'", timely)


def without_tenants(patch: pytest.MonkeyPatch) -> None:
    """Whoever knows an id may change it."""
    for name in ("FIND", "LOCK"):
        _change(patch, rows, name, "tenant_id = :tenant_id", ":tenant_id IS NOT NULL")


def replacing_results(patch: pytest.MonkeyPatch) -> None:
    """A later try replaces a result."""
    _change(patch, step_rows, "PUT", "steps.status <> 'completed' AND", "")


def keeping_numbers(patch: pytest.MonkeyPatch) -> None:
    """A repeat keeps the event number that it took."""
    patch.setattr(steps, "give_back", lambda *_args, **_more: None)


def granting_one_epoch_twice(patch: pytest.MonkeyPatch) -> None:
    """A new grant has the number of the former one."""
    move = grants.move
    patch.setattr(
        grants, "move", lambda *args, **more: move(*args, **(more | {"epoch": max(args[1].epoch, 1)}))
    )


def failing_what_workers_lose(patch: pytest.MonkeyPatch) -> None:
    """A worker's loss is treated as a script's."""
    patch.setattr(losses, "interrupt", losses._fail_lost)


def returning_after_anything(patch: pytest.MonkeyPatch) -> None:
    """A driver comes back from any status, not only from being thought lost."""

    def come_back(tx: Any, lease: fence.Lease) -> None:
        row = rows.lock_execution(tx, lease.tenant_id, lease.execution_id)
        if not fence.holds(row, lease):
            raise fence.refusal(row)
        fence.move(
            tx,
            row,
            ExecutionStatus.RUNNING,
            EventType.EXECUTION_RETURNED,
            data={"after": row.reason},
        )

    patch.setattr(fence, "_return", come_back)


def remembering_its_first_run(patch: pytest.MonkeyPatch) -> None:
    """A work keeps something of a run that was undone."""
    known: set[tuple[str, str, int]] = set()
    put_step = step_rows.put_step

    def put_once(tx: Any, row: step_rows.StepRow) -> bool:
        key = (row.execution_id, row.path, row.attempt)
        if key in known:
            return False
        known.add(key)
        return put_step(tx, row)

    patch.setattr(steps.steps, "put_step", put_once)


# ---- breakers


def sharing_breakers(patch: pytest.MonkeyPatch) -> None:
    """Environments share their breakers."""
    for name in ("find_breaker", "lock_breaker"):
        found = getattr(breaker_rows, name)
        patch.setattr(breaker_rows, name, lambda tx, t, _e, n, found=found: found(tx, t, "dev", n))


def letting_every_probe_pass(patch: pytest.MonkeyPatch) -> None:
    """A half-open breaker counts no probes."""
    patch.setattr(circuit, "_probe", lambda breaker, _now: circuit.Admission(breaker, allowed=True))


def never_giving_probes_up(patch: pytest.MonkeyPatch) -> None:
    """A probe whose process died keeps a breaker half-open for ever."""
    admit = circuit.admit

    def wait_for_probes(breaker: circuit.Breaker, policy: circuit.CircuitPolicy, now_us: int) -> Any:
        full = breaker.state == "half_open" and breaker.probes_started >= policy.probes
        return circuit.Admission(breaker, allowed=False) if full else admit(breaker, policy, now_us)

    patch.setattr(breakers, "admit", wait_for_probes)


def counting_failures_for_ever(patch: pytest.MonkeyPatch) -> None:
    """The window forgets nothing."""
    patch.setattr(window, "move", lambda counted, _now: counted)
    patch.setattr(circuit, "move", lambda counted, _now: counted)


# ---- the inbox


def closing_those_of_others(patch: pytest.MonkeyPatch) -> None:
    """An execution that goes on closes every failure of the same item."""
    close_in_group = failures.close_in_group

    def close_all(tx: Any, tenant_id: str, failure_id: str, _ids: list[str], **how: Any) -> Any:
        opened = failure_rows.list_with_status(tx, failure_id, "open", limit=1_000)
        return close_in_group(tx, tenant_id, failure_id, [each.id for each in opened], **how)

    patch.setattr(failures, "close_in_group", close_all)


def covering_one_too_many(patch: pytest.MonkeyPatch) -> None:
    """An ignore of N more covers one more than N."""
    covered = failures.covered_by_ignore

    def cover(group: Any, now_us: int, code: str | None) -> bool:
        left = group.ignored_count_left
        return covered(replace(group, ignored_count_left=None if left is None else left + 1), now_us, code)

    patch.setattr(failures, "covered_by_ignore", cover)


def forgetting_dates(patch: pytest.MonkeyPatch) -> None:
    """What was ignored until a date never comes back by itself."""
    patch.setattr(inbox, "end_ignores", lambda _tx: 0)


def one_event_many_failures(patch: pytest.MonkeyPatch) -> None:
    """An event that is reported again is another failure."""
    patch.setattr(failure_rows, "find_occurrence_at", lambda _tx, _id, _seq: None)
