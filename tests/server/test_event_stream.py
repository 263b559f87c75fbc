"""An execution's events, live: complete, resumable, and only for its own tenant."""

import json

import pytest

from omium.models.execution import CancelExecution, StartExecution
from omium.server.engine.cancel import request_cancel
from omium.server.engine.parts import EngineParts
from omium.server.engine.start import start
from omium.server.engine.values import Vault
from omium.server.principal import Principal, PrincipalKind
from omium.states import Driver, Environment, Scope
from tests.web.asgi import open_stream, until


@pytest.fixture
async def execution_id(each_app_client):
    return await start_one(each_app_client)


async def start_one(client) -> str:
    command = StartExecution(workflow="report", driver=Driver.WORKER, input_digest="0" * 64)
    queued = await start(parts(client), principal(client), command, idempotency_key="k")
    return queued.id


async def cancel_one(client, execution_id: str) -> None:
    await client.server.db.write(
        lambda tx: request_cancel(tx, principal(client), execution_id, CancelExecution())
    )


def parts(client) -> EngineParts:
    return EngineParts(client.server.db, Vault(client.server.key_file))


def principal(client) -> Principal:
    key = client.key
    return Principal(key.tenant_id, key.api_key_id, PrincipalKind.KEY, Environment.DEV, frozenset(Scope))


def read(chunk: bytes) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())


async def test_what_happened_is_told_and_then_what_happens(each_app_client, execution_id):
    client = each_app_client
    async with open_stream(client, f"/v1/executions/{execution_id}/events/stream") as stream:
        first = read(await stream.next())
        await cancel_one(client, execution_id)
        second = read(await stream.next())

    assert first["id"] == "1"
    assert json.loads(first["data"])["seq"] == 1
    assert int(second["id"]) == 2
    assert second["event"] == json.loads(second["data"])["type"]


async def test_it_goes_on_after_the_sequence_that_was_seen(each_app_client, execution_id):
    client = each_app_client
    await cancel_one(client, execution_id)
    async with open_stream(client, f"/v1/executions/{execution_id}/events/stream?after=1") as stream:
        assert read(await stream.next())["id"] == "2"


async def test_another_tenants_execution_is_as_unknown_as_one_that_is_not_there(
    each_app_client, execution_id
):
    other = await each_app_client.new_tenant()
    unknown = "ex_" + "0" * 26

    first = await other.get(f"/v1/executions/{execution_id}/events/stream")
    second = await other.get(f"/v1/executions/{unknown}/events/stream")

    assert first.status_code == second.status_code == 404
    assert first.json()["detail"].replace(execution_id, unknown) == second.json()["detail"]


async def test_a_tenant_hears_hints_about_its_own_executions_only(each_app_client):
    other = await each_app_client.new_tenant()
    async with open_stream(other, "/v1/events/stream") as stream:
        await until(lambda: other.server.streams.open == 1)
        await start_one(each_app_client)
        own = await start_one(other)
        hint = read(await stream.next())

    assert hint["event"] == "hint"
    assert json.loads(hint["data"]) == {"execution_id": own, "seq": 1}
