"""Scripts that run out of credits: they stop before the next step, and go on after a top-up.

A fresh tenant here begins with one credit; the default book takes 0.1 for an execution and 0.01 for a step.
"""

import asyncio
import signal

import pytest

from omium.clock import SystemClock
from omium.errors import CreditsExhausted
from omium.server.db.open import open_database
from omium.server.engine.money import list_money_problems
from omium.server.ledger import funding
from omium.server.ledger.book import About, EntryKind
from omium.server.ledger.verify import list_ledger_problems
from omium.server.store import ledger as store
from tests.sdk.served import make_running_server, running_server, server, use_server, wait_until

__all__ = ["make_running_server", "running_server", "server"]

CREDIT = 1_000_000
STEPS = 120

SCRIPT = f"""
    import sys
    import omium

    @omium.step
    def work(number):
        with open("done.txt", "a") as done:
            done.write(f"{{number}}\\n")
        return number

    @omium.workflow
    def long_job():
        return sum(work(number) for number in range({STEPS}))

    try:
        if len(sys.argv) > 1:
            print("output", omium.resume(sys.argv[1]))
        else:
            print("output", long_job())
    except omium.Suspended as suspended:
        print("suspended", suspended.reason, suspended.execution_id)
"""


@pytest.fixture
def poor(make_running_server, tmp_path, monkeypatch):
    """A server whose tenant begins with one credit."""
    running = make_running_server(OMIUM_STARTER_CREDITS="1")
    running.bootstrap()
    with use_server(running, tmp_path, monkeypatch) as made:
        yield made


def top_up(server, credits_):
    """Kill the server, book a grant into its file, and start it again."""
    server.running.kill()
    asyncio.run(_fund(str(server.running.data / "omium.sqlite"), credits_ * CREDIT))
    server.running.restart()


async def _fund(path, amount):
    db = await open_database(path, clock=SystemClock())
    try:
        (tenant_id,) = await db.read(lambda tx: store.list_owners(tx, "", 2))
        about = About(actor_id="test")
        await db.write(lambda tx: funding.fund(tx, tenant_id, EntryKind.TOPUP, amount, about))
    finally:
        await db.close()


def audit(server):
    """Stop the server; return what is wrong with its ledger, and what the tenant was charged."""
    server.running.stop()
    path = str(server.running.data / "omium.sqlite")

    async def read():
        db = await open_database(path, clock=SystemClock())
        try:
            (tenant_id,) = await db.read(lambda tx: store.list_owners(tx, "", 2))
            accounts = await db.read(lambda tx: store.list_accounts(tx, tenant_id))
            (usage,) = [row.balance_microcredits for row in accounts if row.kind == "usage"]
            return await list_ledger_problems(db) + await list_money_problems(db), usage
        finally:
            await db.close()

    return asyncio.run(read())


def done(server):
    return [int(line) for line in (server.folder / "done.txt").read_text().split()]


def test_a_script_stops_before_the_step_it_cannot_pay_and_goes_on_without_doing_anything_twice(poor):
    script = poor.write("job.py", SCRIPT)
    code, out, err = poor.run(script)
    assert code == 0, err
    word, reason, id_ = out.split()
    assert (word, reason) == ("suspended", "credits")
    assert f"omium resume {id_}" in err
    recorded = done(poor)
    assert recorded == list(range(90))
    detail = poor.detail(id_)
    assert (detail["status"], detail["reason"]) == ("paused", "credits")

    top_up(poor, 10)
    code, out, err = poor.run(script, id_)
    assert out.split() == ["output", str(sum(range(STEPS)))], err
    assert done(poor) == list(range(STEPS))
    problems, charged = audit(poor)
    assert problems == []
    assert charged == CREDIT // 10 + STEPS * CREDIT // 100


def test_a_killed_script_gives_its_hold_back_and_is_charged_once_for_each_recorded_step(poor):
    script = poor.write("job.py", SCRIPT)
    process = poor.start(script)
    wait_until(lambda: (poor.folder / "done.txt").exists() and len(done(poor)) >= 20)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    top_up(poor, 10)  # a SIGKILL for the server as well
    id_ = poor.newest()["id"]
    _, out, err = poor.run(script, id_)
    assert out.split() == ["output", str(sum(range(STEPS)))], err
    problems, charged = audit(poor)
    assert problems == []
    assert charged == CREDIT // 10 + STEPS * CREDIT // 100


def test_without_credits_a_call_raises_the_sentence_and_runs_nothing(
    make_running_server, tmp_path, monkeypatch
):
    import omium

    running = make_running_server(OMIUM_STARTER_CREDITS="0")
    running.bootstrap()
    ran = []

    @omium.workflow
    def job():
        ran.append(1)

    with (
        use_server(running, tmp_path, monkeypatch),
        pytest.raises(CreditsExhausted, match="exhausted your Omium"),
    ):
        job()
    assert ran == []


def test_a_limit_of_its_own_pauses_an_execution_and_the_remedy_is_named(server):
    script = server.write("job.py", SCRIPT.replace("@omium.workflow\n", "@omium.workflow(max_credits=0.5)\n"))
    _, out, err = server.run(script)
    word, reason, id_ = out.split()
    assert (word, reason) == ("suspended", "limit")
    assert "--max-credits" in err
    assert done(server) == list(range(40))
    assert server.detail(id_)["reason"] == "limit"


def test_with_metering_off_nobody_asks_for_credits(make_running_server, tmp_path, monkeypatch):
    running = make_running_server(OMIUM_STARTER_CREDITS="0", OMIUM_METERING="false")
    running.bootstrap()
    with use_server(running, tmp_path, monkeypatch) as server:
        _, out, err = server.run(server.write("job.py", SCRIPT))
        assert out.split() == ["output", str(sum(range(STEPS)))], err
