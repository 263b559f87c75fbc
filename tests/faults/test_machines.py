"""State machines against references: drivers, people, time and strangers in any order, twice and late.

The machines and what they are compared with are in tests/properties and tests/ledger; one try is a history
of 50 steps from an empty database. Every transaction is run twice, the first time undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from hypothesis.strategies import lists

from omium.server.engine import losses
from omium.server.engine.verify import list_problems
from omium.server.ledger import holds
from omium.server.seal import KeyFile
from tests.engine.test_machine import Machine as Effects
from tests.faults.gate import Gate
from tests.ledger import test_machine as ledger
from tests.properties import planted
from tests.properties.breakers import Breakers
from tests.properties.direct import DirectDatabase, make_template
from tests.properties.executions import Executions
from tests.properties.inbox import Inbox

STEPS = 50
AT_ONCE = 1_000  # histories of one run of hypothesis, which has no end but its own
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def in_memory(tmp_path):
    """What a machine needs: a database of its own in memory, and keys."""
    template = make_template()
    return {
        "key_file": KeyFile.open(tmp_path / "keys"),
        "make_database": staticmethod(lambda clock: DirectDatabase(template, clock)),
    }


class EffectsInMemory(Effects):
    """The machine of tests/engine, each history in a database of its own, looked through at its end."""

    async def open_database(self):
        return self.make_database(self.clock)

    async def close_database(self):
        problems = await list_problems(self.db)
        await self.db.close()
        assert problems == []


def try_histories(gate: Gate, machine: Any, bound: dict[str, Any], short: int, long: int) -> None:
    """Run `machine` on `gate.rounds(short, long)` histories; the first that contradicts is a loss."""

    def teardown(self: Any) -> None:
        machine.teardown(self)
        gate.tried(1, f"histories of {STEPS} steps")

    def run(limits: settings, seed: int) -> None:
        bound_machine = hypothesis.seed(seed)(type("Bound", (machine,), bound | {"teardown": teardown}))
        run_state_machine_as_test(bound_machine, settings=limits)

    try_some_at_once(gate, run, short, long)


def try_ledgers(gate: Gate, folder: Path, short: int, long: int) -> None:
    """The same with the ledger, whose histories are lists and are played by tests/ledger."""

    def run(limits: settings, seed: int) -> None:
        @hypothesis.seed(seed)
        @limits
        @hypothesis.given(history=lists(ledger.OPERATIONS, min_size=8, max_size=STEPS))
        def live(history: list[Any]) -> None:
            with TemporaryDirectory(dir=folder) as fresh:
                asyncio.run(ledger.run(Path(fresh), history))
            gate.tried(1, f"histories of up to {STEPS} steps")

        live()

    try_some_at_once(gate, run, short, long)


def try_some_at_once(gate: Gate, run: Callable[[settings, int], None], short: int, long: int) -> None:
    rounds = gate.rounds(short, long)
    for first in range(0, rounds, AT_ONCE):
        limits = settings(
            max_examples=min(AT_ONCE, rounds - first),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=False,
            phases=[Phase.generate],  # a loss is found again by its seed; shrinking takes longer than finding
            suppress_health_check=list(HealthCheck),
        )
        try:
            run(limits, gate.seed + first)
        except Exception as error:
            gate.lost(1, f"{error!r}")
            gate.tried(1, f"histories of {STEPS} steps")
            if gate.bug is None:
                raise
        gate.show_progress(first, rounds)
        if gate.losses or gate.enough:
            return


@pytest.mark.gate(
    promise="Executions and steps do what their table says, and nothing else",
    fault="former drivers, repeats, strangers, lost drivers, pauses, cancels, clocks, in any order",
)
def test_executions_do_what_the_reference_says(gate, in_memory):
    try_histories(gate, Executions, in_memory, 500, 20_000)


@pytest.mark.gate(
    promise="A breaker that many processes share lets as many calls and probes pass as its policy says",
    fault="reports, probes that die, hands, clocks that step back, in any order, in three places of one name",
)
def test_breakers_do_what_the_reference_says(gate, in_memory):
    try_histories(gate, Breakers, in_memory, 500, 20_000)


@pytest.mark.gate(
    promise="An item of the inbox is open while one of its failures is; an ignore covers what it says",
    fault="failures, repeats, executions that go on, people and strangers who close and ignore, in any order",
)
def test_the_inbox_does_what_the_reference_says(gate, in_memory):
    try_histories(gate, Inbox, in_memory, 500, 20_000)


@pytest.mark.gate(
    promise="An effect is called at most once, and one that nobody knows the outcome of waits for a person",
    fault="the same, with effects: intents, results, late reports and decisions of any driver, in any order",
)
def test_effects_keep_their_invariants(gate, in_memory):
    try_histories(gate, EffectsInMemory, in_memory, 250, 20_000)


@pytest.mark.gate(
    promise="Funds, holds, caps, debts and charges are what a model says that anybody can read",
    fault="grants, holds, charges, refills, refunds, caps and storage in any order, each work run twice",
)
def test_the_ledger_does_what_the_model_says(gate, tmp_path):
    try_ledgers(gate, tmp_path, 100, 20_000)  # a hundred of the short form are in tests/ledger


@pytest.mark.planted(bug="What a key has spent is forgotten", gate="test_the_ledger_does_what_the_model_says")
def test_the_model_of_the_ledger_finds_what_a_key_has_spent(trial, tmp_path, monkeypatch, long_only):
    monkeypatch.setattr(holds, "_count", lambda *_row, **_amounts: None)
    try_ledgers(trial, tmp_path, 300, 300)


@pytest.mark.planted(bug="A lost driver's effects stay announced", gate="test_effects_keep_their_invariants")
def test_the_machine_of_effects_finds_what_nobody_will_report(trial, in_memory, monkeypatch):
    monkeypatch.setattr(losses, "cut_off", lambda _tx, row, *_coming: row)
    try_histories(trial, EffectsInMemory, in_memory, 300, 300)


BUGS = {
    Executions: (
        planted.without_a_fence,
        planted.with_a_fence_of_time,
        planted.without_tenants,
        planted.replacing_results,
        planted.keeping_numbers,
        planted.granting_one_epoch_twice,
        planted.failing_what_workers_lose,
        planted.returning_after_anything,
        planted.remembering_its_first_run,
    ),
    Breakers: (
        planted.sharing_breakers,
        planted.letting_every_probe_pass,
        planted.never_giving_probes_up,
        planted.counting_failures_for_ever,
    ),
    Inbox: (
        planted.closing_those_of_others,
        planted.covering_one_too_many,
        planted.forgetting_dates,
        planted.one_event_many_failures,
    ),
}


def each_bug(machine):
    return pytest.mark.parametrize("plant", BUGS[machine], ids=lambda plant: plant.__name__.replace("_", " "))


@pytest.mark.planted(
    bug="Nine wrong turns, one at a time: no fence, a fence of time, no tenants, results replaced, ...",
    gate="test_executions_do_what_the_reference_says",
)
@each_bug(Executions)
def test_the_machine_of_executions_finds(trial, in_memory, monkeypatch, plant):
    plant(monkeypatch)
    try_histories(trial, Executions, in_memory, 600, 600)


@pytest.mark.planted(
    bug="Breakers shared between environments, probes not counted, probes never given up, no window",
    gate="test_breakers_do_what_the_reference_says",
)
@each_bug(Breakers)
def test_the_machine_of_breakers_finds(trial, in_memory, monkeypatch, plant):
    plant(monkeypatch)
    try_histories(trial, Breakers, in_memory, 300, 300)


@pytest.mark.planted(
    bug="Failures of others closed, one covered too many, dates forgotten, one event two failures",
    gate="test_the_inbox_does_what_the_reference_says",
)
@each_bug(Inbox)
def test_the_machine_of_the_inbox_finds(trial, in_memory, monkeypatch, plant):
    plant(monkeypatch)
    try_histories(trial, Inbox, in_memory, 300, 300)
