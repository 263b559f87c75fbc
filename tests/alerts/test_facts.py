"""What happens in the engine and the ledger becomes a fact in the same transaction, and once."""

import json

import pytest

from omium.ids import new_id
from omium.server.alerts.facts import note_fact
from omium.server.background.alerting import list_alert_sweeps, tell_credits, tell_key
from omium.server.db.tx import Sql
from omium.server.engine.policy import Policy
from omium.server.engine.unserved import UNSERVED_AFTER_S, UnservedWork
from omium.server.ledger.caps import KeyNotice, KeyNoticeKind
from omium.server.ledger.state import CreditsState
from omium.states import AlertKind
from tests.web.walk import DIGEST, PROCESS, TOKEN, group, step_write

KINDS = Sql("SELECT kind FROM alert_facts ORDER BY id")
SECRET = "the customer's own words"


async def kinds(alerting):
    return await alerting.client.server.db.read(lambda tx: tx.all(KINDS, str))


async def fail(alerting, *, message=SECRET):
    """Run an execution that fails; return its id."""
    execution_id = new_id("ex", alerting.client.clock.now_us())
    start = {"id": execution_id, "workflow": "report", "driver": "local", "input_digest": DIGEST}
    reply = await alerting.client.post(
        "/v1/executions", json=start | {"lease_token": TOKEN, "process": PROCESS, "input": None}
    )
    assert reply.status_code in {200, 201}, reply.text
    error = {"type": "ValueError", "message": message}
    writes = [
        step_write("write", type="step.attempt_failed", error=error),
        {"type": "execution.failed", "path": "write", "error": error},
    ]
    reply = await alerting.client.post("/v1/writes", json={"groups": [group(execution_id, *writes)]})
    assert [each["problem"] for each in reply.json()["groups"][0]["results"]] == [None, None]
    return execution_id


async def test_a_failure_is_told_when_it_opens_and_when_it_opens_again(each_alerting):
    await each_alerting.add()
    for _ in range(3):
        await fail(each_alerting)
    assert await kinds(each_alerting) == ["failure.opened"]

    [failure] = (await each_alerting.client.get("/v1/failures")).json()["items"]
    await each_alerting.client.post(f"/v1/failures/{failure['id']}/resolve", json={"reason": "fixed"})
    each_alerting.client.clock.advance(seconds=1)  # ids of one moment have no order
    await fail(each_alerting)

    assert await kinds(each_alerting) == ["failure.opened", "failure.reopened"]


async def test_a_message_has_nothing_of_what_users_handle(alerting):
    await alerting.add()
    await fail(alerting)
    await alerting.pass_on()

    [received] = alerting.target.received
    assert SECRET.encode() not in received.body
    [item] = json.loads(received.body)["data"]["items"]
    assert item["text"] == "report fails in write: ValueError."


async def test_a_breaker_is_told_when_it_opens(each_alerting):
    await each_alerting.add()
    for state in ("open", "open", "closed"):
        await each_alerting.client.post_keyed("/v1/breakers/llm", {"state": state})

    assert await kinds(each_alerting) == ["breaker.opened"]


async def test_a_breaker_whose_limit_is_reached_is_told_once(each_alerting):
    await each_alerting.add()
    client = each_alerting.client
    await client.put("/v1/breakers/llm/limits", json={"tokens_per_minute": 10})
    for number in range(3):
        spent = {"id": f"us_{number}", "breaker": "llm", "input_tokens": 20, "at_us": 1}
        reply = await client.post("/v1/usage", json=spent)
        assert reply.status_code == 200, reply.text

    assert await kinds(each_alerting) == ["breaker.opened"]


async def test_work_that_nobody_serves_is_told_once(each_alerting):
    await each_alerting.add()
    body = {"workflow": "report", "driver": "worker", "input_digest": DIGEST, "input": None}
    reply = await each_alerting.client.post("/v1/executions", json=body | {"id": new_id("ex", 1)})
    assert reply.status_code in {200, 201}, reply.text
    db = each_alerting.client.server.db
    await db.write(UnservedWork(Policy()).sweep)
    assert await kinds(each_alerting) == []

    each_alerting.client.clock.advance(seconds=UNSERVED_AFTER_S + 1)
    for _ in range(2):
        await db.write(UnservedWork(Policy()).sweep)

    assert await kinds(each_alerting) == ["work.unserved"]


async def test_many_queues_that_nobody_serves_are_told_in_portions(each_alerting):
    await each_alerting.add()
    body = {"driver": "worker", "input_digest": DIGEST, "input": None}
    for number in range(3):
        started = body | {"id": new_id("ex", number), "workflow": f"report-{number}"}
        await each_alerting.client.post("/v1/executions", json=started)
    each_alerting.client.clock.advance(seconds=UNSERVED_AFTER_S + 1)
    work = UnservedWork(Policy(), looked_at=2)
    looked_at = [await each_alerting.client.server.db.write(work.sweep) for _ in range(3)]

    assert looked_at == [2, 1, 2]
    assert await kinds(each_alerting) == ["work.unserved"] * 3


async def test_work_that_a_worker_serves_is_not_told(alerting):
    await alerting.add()
    body = {"workflow": "report", "driver": "worker", "input_digest": DIGEST, "input": None}
    for number in range(2):
        await alerting.client.post("/v1/executions", json=body | {"id": new_id("ex", number)})
    alerting.client.clock.advance(seconds=UNSERVED_AFTER_S + 1)
    claim = {"worker_id": "w", "workflows": ["report"], "process": PROCESS, "wait_s": 0}
    taken = await alerting.client.post("/v1/workers/claim", json=claim)  # one, the other waits for it
    assert taken.status_code == 200, taken.text

    await alerting.client.server.db.write(UnservedWork(Policy()).sweep)

    assert await kinds(alerting) == []


@pytest.mark.parametrize("kind", list(KeyNoticeKind))
async def test_what_the_ledger_tells_of_keys_is_a_fact(alerting, kind):
    await alerting.add()
    tenant_id = alerting.client.key.tenant_id
    notice = KeyNotice(kind, tenant_id, "ak_1", "dev", once=f"{kind} ak_1", text="It has.")
    for _ in range(2):
        await alerting.client.server.db.write(lambda tx: tell_key(tx, notice))

    assert await kinds(alerting) == [kind.value]


async def test_credits_are_told_when_they_become_low_and_not_when_they_come_back(alerting):
    await alerting.add()
    tenant_id, db = alerting.client.key.tenant_id, alerting.client.server.db
    low = CreditsState(balance_microcredits=5, threshold_microcredits=10)
    await db.write(lambda tx: tell_credits(tx, tenant_id, low))
    await db.write(lambda tx: tell_credits(tx, tenant_id, CreditsState(50, threshold_microcredits=10)))

    assert await kinds(alerting) == ["credits.low"]


async def test_every_sweep_of_alerts_runs(each_alerting):
    await each_alerting.add()
    await each_alerting.note()

    for sweep in list_alert_sweeps(Policy()):
        assert await each_alerting.client.server.db.write(sweep.work) >= 0, sweep.name


async def test_a_fact_goes_with_a_transaction_that_is_undone(each_alerting):
    await each_alerting.add()
    tenant_id = each_alerting.client.key.tenant_id

    def dies(tx):
        note_fact(tx, AlertKind.BREAKER_OPENED, tenant_id, subject="x", text="x")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        await each_alerting.client.server.db.write(dies)
    assert await kinds(each_alerting) == []
