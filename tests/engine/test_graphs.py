"""Graph checkpoints: kept exactly, sealed for their place, and each tenant's own."""

import base64

import pytest

from omium.clock import ManualClock
from omium.errors import InvalidRequest, SealBroken
from omium.models.graph import (
    Blob,
    ChannelValue,
    CopyGraphThread,
    FindGraphCheckpoint,
    GraphCheckpoint,
    GraphTaskWrites,
    GraphWrite,
    ListGraphCheckpoints,
    PutGraph,
)
from omium.server.db.open import open_database
from omium.server.db.tx import Sql
from omium.server.engine import graph_threads, graphs
from omium.server.engine.graphs import GraphVault
from omium.server.seal import KeyFile
from omium.server.store import graph_threads as thread_store
from omium.server.store.tenants import insert_tenant

SECRET = "what the model said to the user"


class Graphs:
    """One tenant's graph checkpoints on an open database."""

    def __init__(self, db, vault):
        self.db = db
        self.vault = vault

    async def put(self, *, checkpoints=(), writes=(), execution_id=None, seq=None):
        packed = graphs.pack(self.vault, PutGraph(checkpoints=[*checkpoints], writes=[*writes]))
        return await self.db.write(lambda tx: graphs.put(tx, packed, execution_id=execution_id, seq=seq))

    async def find(self, thread_id, checkpoint_id=None, namespace=""):
        command = FindGraphCheckpoint(thread_id=thread_id, namespace=namespace, checkpoint_id=checkpoint_id)
        sealed = await self.db.read(lambda tx: graphs.find(tx, self.vault.tenant_id, command))
        return None if sealed is None else graphs.unseal(self.vault, sealed)

    async def ids(self, **chosen):
        found, cursor = [], None
        while True:
            command = ListGraphCheckpoints(cursor=cursor, **chosen)
            sealed = await self.db.read(lambda tx, command=command: graphs.read_page(tx, self.vault, command))
            page = graphs.page(self.vault, sealed)
            found += [(item.thread_id, item.namespace, item.checkpoint_id) for item in page.items]
            cursor = page.next
            if cursor is None:
                return found

    async def channels(self, thread_id, namespace=""):
        stored = await self.db.read(
            lambda tx: thread_store.list_channel_versions(tx, self.vault.tenant_id, thread_id, namespace)
        )
        return {(each.channel, each.version) for each in stored}


def blob(text, type_="msgpack"):
    return Blob(type=type_, data=base64.b64encode(text.encode()).decode())


def text(stored):
    return base64.b64decode(stored.data).decode()


def checkpoint(thread_id, checkpoint_id, *, parent=None, namespace="", facts=None, channels=(), **more):
    return GraphCheckpoint(
        thread_id=thread_id,
        namespace=namespace,
        checkpoint_id=checkpoint_id,
        parent_id=parent,
        checkpoint=blob(f"checkpoint {checkpoint_id}"),
        metadata=blob("metadata"),
        facts=facts or {},
        channels=[ChannelValue(channel=name, version=v, value=value) for name, v, value in channels],
        **more,
    )


def task_writes(thread_id, checkpoint_id, task_id, *writes, path=""):
    return GraphTaskWrites(
        thread_id=thread_id,
        checkpoint_id=checkpoint_id,
        task_id=task_id,
        task_path=path,
        writes=[
            GraphWrite(index=index, channel=channel, value=blob(value), replace=index < 0)
            for index, channel, value in writes
        ],
    )


@pytest.fixture
async def tenants(database_url, tmp_path):
    """Two tenants on one database."""
    db = await open_database(database_url, clock=ManualClock())
    keys = KeyFile.open(tmp_path / "keys.json")
    ids = [(await db.write(lambda tx: insert_tenant(tx, "team"))).id for _ in range(2)]
    yield [Graphs(db, GraphVault(keys, tenant_id)) for tenant_id in ids]
    await db.close()


@pytest.fixture
async def saved(tenants):
    return tenants[0]


async def test_a_checkpoint_comes_back_as_it_was_saved(saved):
    large = "x" * 100_000
    await saved.put(
        checkpoints=[
            checkpoint(
                "t",
                "1",
                versions={"a": "1", "gone": "1"},
                channels=[("a", "1", blob(large, "json")), ("gone", "1", None)],
            )
        ]
    )

    found = await saved.find("t")

    assert text(found.checkpoint) == "checkpoint 1"
    by_name = {part.channel: part.value for part in found.channels}
    assert by_name["a"].type == "json"
    assert text(by_name["a"]) == large
    assert by_name["gone"] is None


async def test_the_newest_checkpoint_of_a_namespace_is_found_without_its_id(saved):
    await saved.put(
        checkpoints=[checkpoint("t", "1"), checkpoint("t", "2"), checkpoint("t", "9", namespace="sub")]
    )

    assert (await saved.find("t")).checkpoint_id == "2"
    assert (await saved.find("t", namespace="sub")).checkpoint_id == "9"
    assert await saved.find("elsewhere") is None


async def test_a_tasks_first_result_stays_and_its_newest_error_wins(saved):
    await saved.put(checkpoints=[checkpoint("t", "1")])
    await saved.put(writes=[task_writes("t", "1", "task", (0, "a", "first"), (-1, "__error__", "old"))])
    await saved.put(writes=[task_writes("t", "1", "task", (0, "a", "second"), (-1, "__error__", "new"))])

    found = await saved.find("t")

    assert [(each.index, text(each.value)) for each in found.writes] == [(-1, "new"), (0, "first")]


async def test_pending_writes_come_in_the_order_of_their_tasks(saved):
    await saved.put(checkpoints=[checkpoint("t", "1")])
    await saved.put(writes=[task_writes("t", "1", "a", (0, "x", "late"), path="~2")])
    await saved.put(writes=[task_writes("t", "1", "z", (1, "x", "second"), (0, "x", "first"), path="~1")])

    assert [text(each.value) for each in (await saved.find("t")).writes] == ["first", "second", "late"]


async def test_saving_twice_leaves_the_same_rows(saved):
    for _ in range(2):
        await saved.put(
            checkpoints=[checkpoint("t", "1", versions={"a": "1"}, channels=[("a", "1", blob("v"))])],
            writes=[task_writes("t", "1", "task", (0, "a", "w"))],
        )

    found = await saved.find("t")

    assert len(found.writes) == 1
    assert [text(part.value) for part in found.channels] == ["v"]


async def test_nothing_of_a_tenant_is_seen_by_another(tenants):
    ours, theirs = tenants
    await ours.put(checkpoints=[checkpoint("t", "1")])

    assert await theirs.find("t") is None
    assert await theirs.ids() == []
    assert await graph_threads.delete_thread(theirs.db, theirs.vault.tenant_id, "t") == 0
    assert await ours.find("t") is not None


async def test_bytes_are_sealed_and_open_only_in_their_own_place(saved):
    await saved.put(
        checkpoints=[
            checkpoint("t", "1", versions={"a": "1"}, channels=[("a", "1", blob(SECRET))]),
            checkpoint("t", "2", versions={"a": "2"}, channels=[("a", "2", blob("other"))]),
        ]
    )
    stored = await saved.db.read(lambda tx: tx.all(Sql("SELECT value FROM graph_channels"), bytes))
    assert all(SECRET.encode() not in value for value in stored)

    move = Sql(
        "UPDATE graph_channels SET value = (SELECT value FROM graph_channels WHERE version = '1')"
        " WHERE version = '2'"
    )
    await saved.db.write(lambda tx: tx.execute(move))

    with pytest.raises(SealBroken):
        await saved.find("t", "2")


async def test_bytes_that_are_not_base64_are_refused_with_their_place(saved):
    bad = checkpoint("t", "1").model_copy(update={"checkpoint": Blob(type="x", data="no base64!")})

    with pytest.raises(InvalidRequest, match="base64"):
        await saved.put(checkpoints=[bad])


async def test_a_list_pages_through_threads_newest_first(saved):
    everything = [checkpoint(f"t{n % 3}", f"{n:04}") for n in range(130)]
    for start in range(0, 130, 50):
        await saved.put(checkpoints=everything[start : start + 50])

    assert [each[2] for each in await saved.ids(limit=7)] == [f"{n:04}" for n in reversed(range(130))]
    assert await saved.ids(thread_id="t1", before="0005", limit=7) == [("t1", "", "0004"), ("t1", "", "0001")]


async def test_a_filter_is_applied_to_every_checkpoint_however_many_it_refuses(saved):
    everything = [checkpoint("t", f"{n:04}", facts={"step": n}) for n in range(130)]
    for start in range(0, 130, 50):
        await saved.put(checkpoints=everything[start : start + 50])

    assert await saved.ids(filter={"step": 3}) == [("t", "", "0003")]
    assert await saved.ids(filter={"absent": None}) == []


async def test_a_copy_up_to_a_checkpoint_leaves_later_work_behind(saved):
    await saved.put(
        checkpoints=[
            checkpoint("t", "1", versions={"a": "1"}, channels=[("a", "1", blob("one"))]),
            checkpoint("t", "2", parent="1", versions={"a": "2"}, channels=[("a", "2", blob("two"))]),
            checkpoint("t", "3", parent="2"),
        ],
        writes=[
            task_writes("t", "2", "kept", (0, "a", "sibling")),
            task_writes("t", "2", "again", (-1, "__error__", "boom")),
        ],
    )
    command = CopyGraphThread(
        source_thread_id="t", target_thread_id="copy", until="2", without_tasks=["again"]
    )

    for _ in range(2):  # a repeat changes nothing
        assert await graph_threads.copy_thread(saved.db, saved.vault, command) == 2

    found = await saved.find("copy")
    assert found.checkpoint_id == "2"
    assert [text(part.value) for part in found.channels] == ["two"]
    assert [each.task_id for each in found.writes] == ["kept"]
    assert len(await saved.ids(thread_id="t")) == 3


async def test_a_prune_keeps_what_a_delta_channel_is_rebuilt_from(saved):
    await saved.put(
        checkpoints=[
            checkpoint("t", "1", versions={"d": "1"}, channels=[("d", "1", blob("old snapshot"))]),
            checkpoint("t", "2", parent="1", versions={"d": "2"}, channels=[("d", "2", blob("snapshot"))]),
            checkpoint("t", "3", parent="2", versions={"d": "3"}, channels=[("d", "3", None)]),
            checkpoint(
                "t", "4", parent="3", versions={"d": "4"}, delta_channels=["d"], channels=[("d", "4", None)]
            ),
        ],
        writes=[task_writes("t", "3", "task", (0, "d", "delta"))],
    )

    await graph_threads.prune(saved.db, saved.vault.tenant_id, ["t"], "keep_latest")

    assert [each[2] for each in await saved.ids(thread_id="t")] == ["4", "3", "2"]
    assert len((await saved.find("t", "3")).writes) == 1
    assert await saved.channels("t") == {("d", "2"), ("d", "3"), ("d", "4")}


async def test_a_prune_without_delta_channels_keeps_one_checkpoint_and_its_values(saved):
    await saved.put(
        checkpoints=[
            checkpoint(
                "t",
                "1",
                versions={"a": "1", "b": "1"},
                channels=[("a", "1", blob("1")), ("b", "1", blob("b"))],
            ),
            checkpoint("t", "2", parent="1", versions={"a": "2", "b": "1"}, channels=[("a", "2", blob("2"))]),
        ]
    )

    await graph_threads.prune(saved.db, saved.vault.tenant_id, ["t", "unknown"], "keep_latest")

    assert [text(part.value) for part in (await saved.find("t")).channels] == ["2", "b"]
    assert await saved.channels("t") == {("a", "2"), ("b", "1")}


async def test_what_an_execution_saved_after_a_point_is_taken_back_by_a_rollback(saved):
    await saved.put(checkpoints=[checkpoint("t", "1")], execution_id="ex_1", seq=4)
    for task, seq in (("before", 3), ("after", 6)):
        await saved.put(writes=[task_writes("t", "1", task, (0, "a", task))], execution_id="ex_1", seq=seq)
    await saved.put(checkpoints=[checkpoint("t", "2")], execution_id="ex_1", seq=7)

    await saved.db.write(lambda tx: thread_store.supersede_after(tx, "ex_1", 4, 9))

    assert (await saved.find("t")).checkpoint_id == "1"
    assert await saved.find("t", "2") is None
    assert [each.task_id for each in (await saved.find("t")).writes] == ["before"]


async def test_retention_takes_an_executions_own_threads_and_leaves_the_users(saved):
    for thread in ("ex_1", "ex_1:team/research", "ex_10", "chat"):
        one = checkpoint(thread, "1", versions={"a": "1"}, channels=[("a", "1", blob("v"))])
        await saved.put(
            checkpoints=[one, checkpoint(thread, "2")], writes=[task_writes(thread, "1", "t", (0, "a", "w"))]
        )

    async def take():
        return await saved.db.write(
            lambda tx: thread_store.take_own_threads(tx, saved.vault.tenant_id, "ex_1", 3)
        )

    assert [await take(), await take(), await take()] == [3, 1, 0]
    assert {each[0] for each in await saved.ids()} == {"ex_10", "chat"}
    assert await saved.channels("ex_1") == set()
    assert await saved.channels("ex_10") == {("a", "1")}


async def test_tenants_that_use_the_same_names_never_touch_each_other(tenants):
    ours, theirs = tenants

    async def fill(tenant, word):
        for number in "12":
            one = checkpoint(
                "ex_1",
                number,
                parent=None if number == "1" else "1",
                versions={"a": number},
                channels=[("a", number, blob(word + number))],
                run_id="run",
            )
            await tenant.put(
                checkpoints=[one], writes=[task_writes("ex_1", number, "t", (0, "a", word), (-1, "e", word))]
            )

    async def seen(tenant):
        found = [await tenant.find("ex_1", number) for number in "12"]
        return [
            each
            and [[text(part.value) for part in each.channels], [text(part.value) for part in each.writes]]
            for each in found
        ], await tenant.channels("ex_1")

    await fill(ours, "ours")
    await fill(theirs, "theirs")
    before = await seen(theirs)
    assert before[0] == [[["theirs1"], ["theirs", "theirs"]], [["theirs2"], ["theirs", "theirs"]]]
    assert (await seen(ours))[0][0] == [["ours1"], ["ours", "ours"]]
    assert len(await ours.ids()) == len(await ours.ids(thread_id="ex_1")) == 2

    tenant_id = ours.vault.tenant_id
    copied = CopyGraphThread(source_thread_id="ex_1", target_thread_id="copy")
    assert await graph_threads.copy_thread(ours.db, ours.vault, copied) == 2
    assert await theirs.find("copy") is None
    assert await graph_threads.prune(ours.db, tenant_id, ["ex_1"], "keep_latest") == 1
    assert await seen(theirs) == before
    await fill(ours, "again")
    assert await graph_threads.delete_runs(ours.db, tenant_id, ["run"]) == 4
    assert await seen(theirs) == before
    await fill(ours, "again")
    assert await ours.db.write(lambda tx: thread_store.take_own_threads(tx, tenant_id, "ex_1", 100)) == 2
    assert await seen(theirs) == before
    await fill(ours, "again")
    await graph_threads.delete_thread(ours.db, tenant_id, "ex_1")
    assert await seen(theirs) == before
