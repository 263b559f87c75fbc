"""Whoever changes the audit log is found out: what was changed, where, and what an anchor adds."""

import json
import sqlite3
from dataclasses import replace

import pytest

from omium.auditchain import check_export
from omium.errors import StorageError
from omium.server.audit.anchors import show_head
from omium.server.audit.chain import digest_entry
from omium.server.audit.verify import list_audit_problems
from omium.server.db.tx import ConstraintViolated, Sql
from omium.server.store import audit_log as store

COPY = ", ".join(store.EntryRow.__slots__).replace("seq", "8")
COLUMNS = ("digest", "mac", "previous", "detail", "actor_id", "action", "result", "at_us")


@pytest.fixture
async def told(app_client):
    """A client whose tenant has seven entries."""
    for number in range(7):
        await app_client.post_keyed("/v1/keys", {"name": f"key {number}"})
    return app_client


def tamper(client, *statements: str) -> None:
    """Change the database as somebody would who may write to its file, and knows the triggers."""
    connection = sqlite3.connect(client.server.settings.database, timeout=30)
    with connection:
        for name in ("audit_entries_never_change", "audit_entries_never_go"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


async def problems(client):
    return await list_audit_problems(client.server.db, client.server.key_file)


async def head(client):
    found = await client.server.db.read(lambda tx: store.find_head(tx, client.key.tenant_id))
    return show_head(found)


async def test_a_log_that_nobody_touched_is_whole(told):
    assert await problems(told) == []
    reply = (await told.post("/v1/audit/verify", json={"anchors": [await head(told)]})).json()
    assert reply["problems"] == []
    assert reply["head"]["seq"] == 7


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_changed_entry_is_named(told, column):
    value = "X'00'" if column in {"digest", "mac", "previous"} else "'{\"x\":1}'"
    value = {"detail": "CAST('{\"x\":1}' AS BLOB)", "at_us": "1", "result": "'refused'"}.get(column, value)
    tamper(told, f"UPDATE audit_entries SET {column} = {value} WHERE seq = 3")

    [problem] = await problems(told)

    assert f"{told.key.tenant_id}: entry 3 " in problem


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (["DELETE FROM audit_entries WHERE seq = 4"], "entry 4 is missing"),
        (["DELETE FROM audit_entries WHERE seq = 1"], "entry 1 is missing"),
        (["DELETE FROM audit_entries WHERE seq > 5"], "entry 6 is missing, as is what came after it"),
        (["DELETE FROM audit_entries"], "entry 1 is missing, as are all up to 7"),
        (
            [
                "UPDATE audit_entries SET seq = 1000 WHERE seq = 2",
                "UPDATE audit_entries SET seq = 2 WHERE seq = 3",
                "UPDATE audit_entries SET seq = 3 WHERE seq = 1000",
            ],
            "entry 2 does not follow entry 1",
        ),
        (
            [
                f"INSERT INTO audit_entries SELECT {COPY} FROM audit_entries WHERE seq = 7",
            ],
            "entry 8 stands behind the head",
        ),
        (["UPDATE audit_heads SET digest = X'00'"], "the head was changed"),
        (["UPDATE audit_heads SET last_seq = 5"], "the head was changed"),
        (["DELETE FROM audit_heads"], "entry 1 stands behind the head"),
    ],
)
async def test_what_is_deleted_inserted_or_moved_is_named(told, statements, named):
    tamper(told, *statements)

    [problem] = await problems(told)

    assert named in problem


async def test_a_chain_made_anew_without_the_key_is_found_out(told):
    """The digests fit, because anybody can make those; the macs cannot."""
    rows = await told.server.db.read(lambda tx: store.list_chain(tx, told.key.tenant_id, 0, 10))
    previous, statements = rows[1].digest, []
    for row in rows[2:]:
        forged = replace(row, previous=previous, actor_id="key_somebody_else")
        digest = digest_entry(forged)
        statements.append(
            f"UPDATE audit_entries SET actor_id = 'key_somebody_else', previous = X'{previous.hex()}',"
            f" digest = X'{digest.hex()}' WHERE seq = {row.seq}"
        )
        previous = digest
    tamper(told, *statements, f"UPDATE audit_heads SET digest = X'{previous.hex()}'")

    assert await problems(told) == [
        f"{told.key.tenant_id}: entry 3 was not written by this server: its mac does not fit."
    ]


async def test_an_end_that_was_cut_off_with_its_head_is_found_by_an_anchor(told):
    anchor = await head(told)
    tamper(
        told,
        "DELETE FROM audit_entries WHERE seq > 5",
        "UPDATE audit_heads SET last_seq = 5, digest = (SELECT digest FROM audit_entries WHERE seq = 5),"
        " mac = (SELECT mac FROM audit_entries WHERE seq = 5)",
    )
    assert await problems(told) == []  # by itself the shorter chain is a good one

    reply = (await told.post("/v1/audit/verify", json={"anchors": [anchor]})).json()

    assert reply["problems"] == [
        f"{told.key.tenant_id}: entry 7 was anchored and is missing: the end was cut off."
    ]


async def test_an_anchor_that_was_forged_is_told_from_one_of_ours(told):
    anchor = await head(told) | {"seq": 9}

    reply = (await told.post("/v1/audit/verify", json={"anchors": [anchor]})).json()

    assert reply["problems"] == [f"{told.key.tenant_id}: the anchor of entry 9 was not made by this server."]


async def test_verifying_the_database_looks_at_the_chains(told):
    assert "audit log" in (await told.get("/v1/admin/verify")).json()["checks"]
    tamper(told, "UPDATE audit_entries SET action = 'x.y' WHERE seq = 2")

    found = (await told.get("/v1/admin/verify")).json()

    assert found["problems"] == [
        f"audit log: {told.key.tenant_id}: entry 2 was changed: its digest does not fit."
    ]


async def test_a_backup_has_the_heads_beside_it(told):
    made = (await told.post("/v1/admin/backup", json={"name": "b.sqlite"})).json()

    lines = (told.server.settings.data / "backups" / "b.sqlite.audit.jsonl").read_text().splitlines()

    assert made["file"].endswith("b.sqlite")
    [noted] = [json.loads(line) for line in lines]
    assert (noted["tenant_id"], noted["seq"]) == (told.key.tenant_id, 7)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entries SET action = 'x.y'", "DELETE FROM audit_entries"]
)
async def test_the_database_itself_refuses_to_change_an_entry(each_app_client, statement):
    await each_app_client.post_keyed("/v1/keys", {"name": "ci"})
    refused = Sql(statement)

    with pytest.raises((ConstraintViolated, StorageError)):
        await each_app_client.server.db.write(lambda tx: tx.execute(refused))

    assert await problems(each_app_client) == []


async def export(client, **query):
    reply = await client.get("/v1/audit", params={"oldest_first": "true", "limit": 500, **query})
    return reply.json()["items"]


async def test_an_export_is_checked_without_a_server_or_a_key(told):
    entries, anchor = await export(told), await head(told)
    anchors = {(anchor["tenant_id"], anchor["seq"]): anchor["digest"]}
    assert list(check_export(entries, anchors)) == []
    assert list(check_export(await export(told, target=entries[3]["target"]))) == []  # one alone, too

    for change, named in (
        (lambda lines: lines[2].update(address="10.0.0.1"), "entry 3 was changed"),
        (lambda lines: lines.reverse(), "the order was changed"),
        (lambda lines: lines.pop(), "entry 7 was anchored and is missing"),
        (lambda lines: lines[6].update(digest="00" * 32), "entry 7"),
    ):
        changed = json.loads(json.dumps(entries))
        change(changed)
        assert any(named in problem for problem in check_export(changed, anchors)), named


async def test_pages_of_an_export_fit_together(told):
    after, seen = None, []
    while True:
        query = {"oldest_first": "true", "limit": 3} | ({"after": after} if after else {})
        page = (await told.get("/v1/audit", params=query)).json()
        seen += [entry["seq"] for entry in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == list(range(1, 8))


async def test_another_tenant_sees_nothing_of_it(told):
    stranger = await told.new_tenant("stranger")

    assert await export(stranger) == []
    anchors = {"anchors": [await head(told)]}
    assert (await stranger.post("/v1/audit/verify", json=anchors)).json() == {"problems": [], "head": None}
