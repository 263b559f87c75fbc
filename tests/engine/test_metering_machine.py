"""Executions and the ledger in any order of drivers, people, losses and top-ups, beside a model of charges.

Every work runs twice, the first time undone, as if the process had died before the commit; every report may
be said twice, as if it had died after it. Whatever happens: what was charged is what the recorded steps and
the reports come to, nothing is held but by what runs, and the proof finds nothing (engine/money.py).
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import OmiumError
from omium.server.db.open import open_database
from omium.server.engine.credit_pauses import CreditPauses
from omium.server.engine.money import list_money_problems
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import Vault
from omium.server.ledger.book import EntryKind
from omium.server.ledger.prices import find_book
from omium.server.ledger.verify import list_ledger_problems
from omium.server.seal import KeyFile
from omium.server.store import ledger as store
from omium.server.store.tenants import insert_tenant
from tests.engine.harness import Engine, Run, principal
from tests.engine.locks import LockDatabase
from tests.engine.watched import TwiceDatabase

CREDIT = 1_000_000
PRICE = CREDIT // 10
STEP = CREDIT // 100
NAMES = ["start", "queue", "claim", "steps", "steps", "steps", "repeat", "usage", "late", "fail", "complete"]
NAMES += ["wait", "suspend", "expire", "advance", "resume", "cancel", "sweep", "fund"]
OPERATIONS = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 30)), min_size=10, max_size=40)


@dataclass
class Bench:
    engine: Engine
    runs: list[Run] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    usage: int = 0
    number: int = 0

    def run(self, at):
        return self.runs[at % len(self.runs)] if self.runs else None

    async def step(self, run, *, usage=()):
        self.number += 1
        body = self.engine.completed(f"s{self.number}", usage=list(usage))
        for _ in range(2):  # the answer to the first was lost
            answer = await run.send(body)
        if answer.results[0].problem is None:
            self.steps[run.id] = self.steps.get(run.id, 0) + 1

    async def report(self, tokens):
        self.number += 1
        fields = {"provider": "openai", "model": "gpt-4o", "input_tokens": tokens * 100}
        book = await self.engine.read(find_book)
        self.usage += book.price_usage(**fields).microcredits
        return {"id": f"u{self.number}", "at_us": 1, **fields}

    async def apply(self, name, at):
        engine, run = self.engine, self.run(at)
        match name:
            case "start":
                self.runs.append(await engine.start())
            case "queue":
                await engine.queue()
            case "claim" | "sweep":
                await engine.write(CreditPauses().sweep)
                for grant in (await engine.ask()).grants:
                    self.runs.append(Run(engine, grant, engine.who))
            case "fund":
                await engine.fund((at + 1) * CREDIT // 10, EntryKind.TOPUP)
            case "expire":
                await engine.expire()
            case "advance":
                await engine.advance(3601)
            case _ if run is None:
                pass
            case "steps":
                for _ in range(1 + at % 12):
                    await self.step(run)
            case "repeat":
                await run.heartbeat()
            case "usage":
                await self.step(run, usage=[await self.report(at)])
            case "late":
                await run.send({"type": "usage.recorded", "usage": await self.report(at)})
            case "fail":
                await run.fail()
            case "complete":
                await run.complete()
            case "wait":
                await run.wait()
            case "suspend":
                await run.suspend("credits")
            case "resume":
                self.runs.append(await engine.resume(run.id))
            case "cancel":
                await engine.cancel(run.id)

    async def check(self):
        db, tenant_id = self.engine.db, self.engine.who.tenant_id
        assert await list_ledger_problems(db) == []
        assert await list_money_problems(db) == []
        funds = await db.read(lambda tx: store.find_funds(tx, tenant_id))
        if funds is None:
            return
        assert funds.available_microcredits >= 0
        assert not (funds.owed_microcredits and funds.available_microcredits)

    async def check_charges(self):
        """Let nobody drive any more, and compare what was charged with what was done."""
        await self.engine.expire()
        tenant_id = self.engine.who.tenant_id
        accounts = await self.engine.read(lambda tx: store.list_accounts(tx, tenant_id))
        used = sum(row.balance_microcredits for row in accounts if row.kind == "usage")
        derived = sum(PRICE + done * STEP for done in self.steps.values())
        assert used == derived + self.usage


async def play(folder, operations):
    clock = ManualClock()
    db = await open_database(str(folder / "omium.sqlite"), clock=clock)
    try:
        tenant = await db.write(lambda tx: insert_tenant(tx, "test"))
        parts = EngineParts(
            TwiceDatabase(LockDatabase(db)), Vault(KeyFile.open(folder / "keys")), metering=True
        )
        bench = Bench(Engine(parts, clock, principal(tenant.id), principal("other")))
        await bench.apply("fund", 9)
        for name, at in operations:
            with contextlib.suppress(OmiumError):  # it may not begin, or has ended: that changes nothing
                await bench.apply(name, at)
            await bench.check()
        await bench.check_charges()
        await bench.check()
    finally:
        await db.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=OPERATIONS)
@example(
    operations=[
        *[("start", 0)] * 4,
        ("queue", 0),
        ("steps", 1),
        ("usage", 2),
        ("cancel", 1),
        ("start", 0),
        ("steps", 9),
    ]
)
def test_whatever_happens_the_charges_are_what_was_done(operations, tmp_path_factory):
    asyncio.run(play(tmp_path_factory.mktemp("metering"), operations))
