"""Tenants: renamed, created, and deleted so that nothing of one is left and nothing of another is touched."""

import asyncio
import uuid

import pytest

from omium.ids import new_id
from omium.server.accounts import deletion
from omium.server.db.tx import Sql
from omium.server.engine import cancel, retention
from omium.server.engine.policy import Policy
from omium.server.store.tenant_tables import EMPTIED, KEPT, WITH_EXECUTIONS
from tests.web.walk import DIGEST, PROCESS, TOKEN


async def fill(client):
    """Let the tenant have something of most kinds."""
    start = {"workflow": "w", "input": "private", "input_digest": DIGEST}
    running = {"driver": "local", "lease_token": TOKEN, "process": PROCESS}
    ids = []
    for more in (running, {"driver": "worker"}):
        ids.append(new_id("ex", 1))
        reply = await client.post_keyed("/v1/executions", start | more | {"id": ids[-1]})
        assert reply.status_code == 200, reply.text
    step = {"path": "s", "name": "s", "input_digest": DIGEST, "started_at_us": 1, "ended_at_us": 2}
    group = {
        "execution_id": ids[0],
        "epoch": 1,
        "lease_token": TOKEN,
        "writes": [step | {"type": "step.completed", "output": "private"}],
    }
    assert (await client.post("/v1/writes", json={"groups": [group]})).status_code == 200
    await client.post("/v1/breakers/b", json={"state": "open", "reason": "private"})
    await client.post("/v1/usage", json={"id": uuid.uuid4().hex, "model": "m", "input_tokens": 1, "at_us": 1})
    key = await client.post_keyed("/v1/keys", {"name": "private", "spend_cap_usd": 5})
    assert key.status_code == 201, key.text
    return key.json()["api_key"]


async def count_rows(people, tenant_id):
    """Return the rows of the tenant by table, without those that stay."""
    found = {}
    for table in (*dict(EMPTIED), *WITH_EXECUTIONS):
        sql = Sql(f"SELECT COUNT(*) FROM {table} WHERE tenant_id = :tenant_id")
        found[table] = await people.server.db.read(lambda tx, sql=sql: tx.one(sql, int, tenant_id=tenant_id))
    return {table: count for table, count in found.items() if count}


async def sweep(people):
    """Run what the server does in the background until nothing is left to do; returns the portions."""
    portions = 0
    policy = Policy()
    while True:
        done = await people.server.db.write(deletion.sweep_deleted)
        done += await people.server.db.write(cancel.sweep_trees)
        done += await people.server.db.write(lambda tx: cancel.sweep_cancels(tx, policy))
        portions += 1
        assert portions < 500
        if not done:
            return portions


async def test_a_deleted_tenant_lets_nobody_in_and_leaves_nothing(each_people):
    people = each_people
    ada = await people.first()
    doomed = await people.tenant_of(ada, "doomed")
    bob = await people.join(doomed, "bob", "operator")
    key = {"authorization": f"Bearer {await fill(doomed)}"}
    await fill(ada)
    tenant_id = doomed.session["tenant_id"]
    others = await count_rows(people, ada.session["tenant_id"])
    assert (await people.nobody.get("/v1/whoami", headers=key)).status_code == 200

    wrong = await doomed.post("/v1/tenant/delete", json={"name": "Doomed"})
    refused = await bob.post("/v1/tenant/delete", json={"name": "doomed"})
    deleted = await doomed.post("/v1/tenant/delete", json={"name": "doomed"})

    assert (wrong.status_code, refused.status_code, deleted.status_code) == (400, 403, 200)
    assert (deleted.json()["keys"], deleted.json()["sessions"]) == (1, 2)
    assert [(await client.get("/v1/whoami")).status_code for client in (doomed, bob)] == [401, 401]
    assert (await people.nobody.get("/v1/whoami", headers=key)).status_code == 401
    assert [each["name"] for each in (await ada.get("/v1/tenants")).json()["items"]] == ["acme"]
    assert (await people.try_log_in("bob")).json()["code"] == "no-tenant"
    assert (await people.try_log_in("ada", tenant=tenant_id)).json()["code"] == "no-tenant"

    assert "executions" in await count_rows(people, tenant_id)
    await age(people, tenant_id)
    await sweep(people)
    await end_cancels(people)
    await sweep(people)

    assert await count_rows(people, tenant_id) == {}
    assert await count_rows(people, ada.session["tenant_id"]) == others
    assert await name_of(people, tenant_id) == "deleted"
    assert await people.server.db.integrity_problems() == []
    assert (await ada.get("/v1/admin/verify")).json()["problems"] == []


async def age(people, tenant_id):
    """Let the deletion be a while ago, also on a database with a clock of its own."""
    sql = Sql("UPDATE tenants SET deleted_us = deleted_us - :by WHERE id = :id")
    by = deletion.BEGINS_AFTER_US + 1
    await people.server.db.write(lambda tx: tx.execute(sql, id=tenant_id, by=by))


async def end_cancels(people):
    """Let the grace of every cancel be over."""
    sql = Sql("UPDATE executions SET cancel_requested_us = 1 WHERE cancel_requested_us IS NOT NULL")
    await people.server.db.write(lambda tx: tx.execute(sql))


async def name_of(people, tenant_id):
    sql = Sql("SELECT name FROM tenants WHERE id = :id")
    return await people.server.db.read(lambda tx: tx.one(sql, str, id=tenant_id))


async def test_a_deletion_goes_on_where_a_server_died(people):
    """Each portion is a transaction; after each of them another server looks at what there is."""
    ada = await people.first()
    doomed = await people.tenant_of(ada, "doomed")
    await fill(doomed)
    tenant_id = doomed.session["tenant_id"]
    await doomed.post("/v1/tenant/delete", json={"name": "doomed"})
    await age(people, tenant_id)

    class Dead(Exception):
        pass

    def die(tx):
        deletion.sweep_deleted(tx)
        raise Dead

    left = await count_rows(people, tenant_id)
    for _ in range(200):
        with pytest.raises(Dead):
            await people.server.db.write(die)
        assert await count_rows(people, tenant_id) == left, "an undone portion has left something"
        done = await people.server.db.write(deletion.sweep_deleted)
        await end_cancels(people)
        await people.server.db.write(lambda tx: cancel.sweep_cancels(tx, Policy()))
        left = await count_rows(people, tenant_id)
        if not done and not left:
            break
    assert left == {}
    assert await name_of(people, tenant_id) == "deleted"


async def test_nothing_is_removed_before_every_server_has_noticed(people):
    ada = await people.first()
    doomed = await people.tenant_of(ada, "doomed")
    await doomed.post("/v1/tenant/delete", json={"name": "doomed"})

    assert await people.server.db.write(deletion.sweep_deleted) == 0
    people.clock.advance(seconds=61)
    assert await people.server.db.write(deletion.sweep_deleted) == 1


async def test_a_key_that_was_made_in_the_same_moment_is_refused(each_people):
    """A request that was let in before the deletion and commits after it."""
    from tests.serverfixture import insert_key

    ada = await each_people.first()
    doomed = await each_people.tenant_of(ada, "doomed")
    await doomed.post("/v1/tenant/delete", json={"name": "doomed"})
    from omium.states import Environment, Scope

    key = await insert_key(
        each_people.server, doomed.session["tenant_id"], tuple(Scope), Environment.DEV, None, None
    )
    reply = await each_people.nobody.get("/v1/whoami", headers={"authorization": f"Bearer {key.api_key}"})

    assert reply.status_code == 401


async def test_two_deletions_at_once_are_one(each_people):
    ada = await each_people.first()
    doomed = await each_people.tenant_of(ada, "doomed")

    replies = await asyncio.gather(
        *(doomed.post("/v1/tenant/delete", json={"name": "doomed"}) for _ in range(3))
    )

    codes = sorted(reply.status_code for reply in replies)
    assert codes[0] == 200
    assert set(codes[1:]) <= {401, 404}


async def test_who_may_create_a_tenant(people):
    ada = await people.first()
    bob = await people.join(ada, "bob", "owner")

    hers = await ada.post_keyed("/v1/tenants", {"name": "second"})
    his = await bob.post_keyed("/v1/tenants", {"name": "his"})
    key = (await ada.post_keyed("/v1/keys", {"name": "k"})).json()["api_key"]
    headers = {"authorization": f"Bearer {key}", "Idempotency-Key": "k"}
    keys = await people.nobody.post("/v1/tenants", json={"name": "x"}, headers=headers)

    assert (hers.status_code, his.status_code, keys.status_code) == (201, 403, 403)
    there = await people.log_in("ada", tenant="second")
    assert (await there.get("/v1/credits")).json()["credits"] == 10_000


async def test_a_tenant_gets_another_name(each_people):
    ada = await each_people.first()
    first = await ada.post("/v1/tenant/rename", json={"name": "Acme Ltd"})

    assert first.json() == (await ada.post("/v1/tenant/rename", json={"name": "Acme Ltd"})).json()
    assert (await ada.get("/v1/whoami")).json()["tenant"] == "Acme Ltd"


async def test_two_tenants_of_one_name_are_told_apart_by_id(people):
    ada = await people.first()
    twin = await people.tenant_of(ada, "acme")

    both = await people.try_log_in("ada", tenant="acme")
    one = await people.try_log_in("ada", tenant=twin.session["tenant_id"])

    assert both.status_code == 400
    assert twin.session["tenant_id"] in both.json()["detail"]
    assert one.json()["tenant_id"] == twin.session["tenant_id"]


def test_every_table_with_a_tenant_is_emptied_or_stays_for_a_reason(tmp_path):
    """A table that is new must be named in omium/server/store/tenant_tables.py."""
    import sqlite3
    from contextlib import closing

    from omium.server.db import migrate

    with closing(sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None)) as db:
        migrate.migrate_sqlite(db, migrate.list_migrations(), 1)
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {table: list(db.execute(f"PRAGMA table_info({table})")) for table in tables}
    owned = {table for table in tables if "tenant_id" in [column[1] for column in columns[table]]}
    keys = {
        table: tuple(column[1] for column in sorted(columns[table], key=lambda c: c[5]) if column[5])
        for table in owned
    }

    assert owned == {*dict(EMPTIED), *WITH_EXECUTIONS, *KEPT}
    assert dict(EMPTIED) == {table: keys[table] for table in dict(EMPTIED)}


def test_retention_and_deletion_share_how_an_execution_goes():
    assert deletion.remove_portion is retention.remove_portion
