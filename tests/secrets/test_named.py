"""Named secrets go in, are used by the server, and come out nowhere."""

import pytest

from omium.errors import InvalidRequest, SealBroken
from omium.ids import new_id
from omium.models.driver import WriteBatch
from omium.server.db.tx import Sql
from omium.server.secrets.known import CACHE_S
from omium.server.secrets.named import open_secret, set_secret
from omium.server.store import secrets as store
from omium.states import Environment, Scope
from tests.engine.harness import principal
from tests.web.walk import DIGEST, PROCESS, TOKEN, group, step_write

VALUE = "correct horse battery staple"
ROWS = Sql("SELECT sealed FROM secrets")
MOVED = Sql("UPDATE secrets SET name = 'elsewhere' WHERE name = 'moved'")


async def put(client, name="search_key", value=VALUE, **fields):
    return await client.put(f"/v1/secrets/{name}", json={"value": value, **fields})


async def opened(client, name="search_key", environment="dev"):
    server = client.server
    return await server.db.write(
        lambda tx: open_secret(tx, server.key_file, client.key.tenant_id, environment, name)
    )


async def test_a_secret_is_set_listed_used_and_never_shown(each_app_client):
    reply = await put(each_app_client)
    assert await opened(each_app_client) == VALUE
    listed = await each_app_client.get("/v1/secrets")

    assert reply.status_code == 200
    [shown] = listed.json()["items"]
    assert (shown["name"], shown["environment"], shown["version"]) == ("search_key", "dev", 1)
    assert shown["updated_by"] == each_app_client.key.api_key_id
    assert shown["last_used_at_us"] == each_app_client.clock.now_us()
    assert VALUE not in reply.text + listed.text


async def test_a_new_value_is_a_new_version(each_app_client):
    await put(each_app_client)
    reply = await put(each_app_client, value="another value")

    assert reply.json()["version"] == 2
    assert await opened(each_app_client) == "another value"


async def test_environments_have_secrets_of_their_own(app_client):
    await put(app_client)
    await put(app_client, value="of production", environment="prod")

    assert await opened(app_client) == VALUE
    assert await opened(app_client, environment="prod") == "of production"


async def test_a_deleted_secret_is_missed_by_name(each_app_client):
    await put(each_app_client)
    assert (await each_app_client.delete("/v1/secrets/search_key")).status_code == 204
    assert (await each_app_client.delete("/v1/secrets/search_key")).status_code == 404

    with pytest.raises(InvalidRequest, match="omium secrets set search_key"):
        await opened(each_app_client)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE secrets SET tenant_id = '{other}'",
        "UPDATE secrets SET environment = 'prod'",
        "UPDATE secrets SET name = 'other'",
        "UPDATE secrets SET version = 7",
    ],
)
async def test_a_row_that_was_moved_does_not_open(each_app_client, change):
    other = (await each_app_client.new_tenant()).key.tenant_id
    await put(each_app_client)
    moved = Sql(change.format(other=other))
    db, keys = each_app_client.server.db, each_app_client.server.key_file
    await db.write(lambda tx: tx.execute(moved))
    environment = "prod" if "prod" in change else "dev"
    name = "other" if "'other'" in change else "search_key"
    tenant_id = other if "tenant_id" in change else each_app_client.key.tenant_id

    with pytest.raises(SealBroken):
        await db.write(lambda tx: open_secret(tx, keys, tenant_id, environment, name))


async def test_a_former_value_under_a_newer_version_does_not_open(each_app_client):
    await put(each_app_client)
    db = each_app_client.server.db
    former = await db.read(lambda tx: tx.one(ROWS, bytes))
    await put(each_app_client, value="another value")
    put_back = Sql("UPDATE secrets SET sealed = :sealed")
    await db.write(lambda tx: tx.execute(put_back, sealed=former))

    with pytest.raises(SealBroken):
        await opened(each_app_client)


async def test_a_work_that_dies_leaves_the_former_value(each_app_client):
    await put(each_app_client)
    server = each_app_client.server
    who = principal(each_app_client.key.tenant_id)

    def dies(tx):
        set_secret(tx, server.key_file, who, Environment.DEV, "search_key", "new")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        await server.db.write(dies)
    assert await opened(each_app_client) == VALUE


@pytest.mark.parametrize("scope", [each for each in Scope if each is not Scope.MANAGE])
async def test_who_may_not_manage_sets_nothing(app_client, scope):
    client = app_client.as_key(await app_client.new_key(scope))

    assert (await put(client)).status_code == 403


@pytest.mark.parametrize("name", ["1st", "a%0A", "a b", "a%2Fb", "ü", "x" * 101])
async def test_a_name_of_another_form_is_refused(app_client, name):
    assert (await put(app_client, name)).status_code in {400, 404}


async def test_another_tenants_secret_is_unknown(each_app_client):
    await put(each_app_client)
    stranger = await each_app_client.new_tenant("stranger")

    assert (await stranger.get("/v1/secrets")).json()["items"] == []
    assert (await stranger.delete("/v1/secrets/search_key")).status_code == 404
    rows = await each_app_client.server.db.read(
        lambda tx: store.list_secrets(tx, each_app_client.key.tenant_id, ("", ""), 10)
    )
    assert len(rows) == 1


async def test_the_audit_log_tells_of_it_without_the_value(app_client):
    await put(app_client)
    entries = (await app_client.get("/v1/audit")).text

    assert '"action":"secret.set"' in entries
    assert '"target":"search_key"' in entries
    assert VALUE not in entries


async def test_its_value_is_masked_in_errors_and_logs_but_not_in_outputs(app_client):
    await put(app_client)
    execution_id = new_id("ex", 1)
    started = await app_client.post(
        "/v1/executions",
        json={
            "id": execution_id,
            "workflow": "report",
            "driver": "local",
            "input": None,
            "input_digest": DIGEST,
            "lease_token": TOKEN,
            "process": PROCESS,
        },
    )
    assert started.status_code in {200, 201}, started.text
    error = {"type": "ValueError", "message": f"no access with {VALUE}"}
    line = {"at_us": 1, "stream": "stdout", "text": f"using {VALUE}"}
    writes = [
        step_write("search", type="step.completed", output={"used": VALUE}, logs=[line]),
        {"type": "log.written", "path": "write", "attempt": 1, "chunk": 0, "lines": [line]},
        step_write("write", type="step.attempt_failed", error=error),
        {"type": "execution.failed", "path": "write", "error": error},
    ]
    reply = await app_client.post("/v1/writes", json={"groups": [group(execution_id, *writes)]})
    assert [each["problem"] for each in reply.json()["groups"][0]["results"]] == [None] * 4

    for path in ("", "/events", "/attempts", "/logs?path=search", "/logs?path=write"):
        told = (await app_client.get(f"/v1/executions/{execution_id}{path}")).text
        assert VALUE not in told, (path, told[max(0, told.index(VALUE) - 300) : told.index(VALUE) + 60])
    assert "[redacted]" in (await app_client.get(f"/v1/executions/{execution_id}/logs?path=write")).text
    assert VALUE not in (await app_client.get("/v1/failures")).text
    recorded = await app_client.post(f"/v1/executions/{execution_id}/records", json={"paths": ["search"]})
    assert VALUE in recorded.text  # what a step returned comes back as it was


def lines_that_tell(text):
    line = {"at_us": 1, "stream": "stdout", "text": text}
    write = {"type": "log.written", "path": "write", "attempt": 1, "chunk": 0, "lines": [line]}
    return WriteBatch.model_validate({"groups": [group(new_id("ex", 1), write)]})


async def masked(client, text):
    batch = await client.server.known_secrets.mask(client.key.tenant_id, lines_that_tell(text))
    return batch.groups[0].writes[0].lines[0].text


async def test_a_secret_set_elsewhere_is_known_here_after_a_moment(app_client):
    server, who = app_client.server, principal(app_client.key.tenant_id)
    assert await masked(app_client, VALUE) == VALUE
    await server.db.write(
        lambda tx: set_secret(tx, server.key_file, who, Environment.DEV, "search_key", VALUE)
    )
    assert await masked(app_client, VALUE) == VALUE

    app_client.clock.advance(seconds=CACHE_S + 1)

    assert await masked(app_client, VALUE) == "[redacted]"


async def test_a_secret_that_does_not_open_hides_no_other_and_stops_no_driver(app_client):
    await put(app_client)
    await put(app_client, "moved", "another value")
    await app_client.server.db.write(lambda tx: tx.execute(MOVED))

    assert await masked(app_client, f"{VALUE}, another value") == "[redacted], another value"
