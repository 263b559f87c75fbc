"""The wire side against the real server: lost answers, offline starts, pages, live events."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from omium.config import Settings
from omium.errors import ConnectionLost, KeyRevoked, NotFound, SecretNotRepeatable
from omium.jsonvalue import json_bytes
from omium.models.execution import CancelExecution, StartExecution
from omium.models.keys import CreateKey
from omium.sdk.batching import Writer
from omium.sdk.flows import Lease, Write
from omium.sdk.sync_client import Client
from omium.sdk.transport import Transport
from omium.states import Driver, Durability, ExecutionStatus
from tests.sdk.fakes import away, make_lease
from tests.serverfixture import make_running_server, running_server

__all__ = ["make_running_server", "running_server"]  # fixtures

DIGEST = "0" * 64


@pytest.fixture
def settings(running_server, tmp_path):
    return Settings(
        base_url=running_server.base_url, api_key=running_server.api_key, folder=tmp_path / "config"
    )


@pytest.fixture
def client(settings):
    with Client(settings=settings) as made:
        yield made


@pytest.fixture
def transport(settings):
    made = Transport(settings)
    yield made
    made.close()


def start(client, execution_id=None, **changes):
    command = StartExecution(
        **{"id": execution_id, "workflow": "w", "driver": Driver.LOCAL, "input_digest": DIGEST, **changes}
    )
    return client.start_execution(command)


def lease_of(grant, durability=Durability.STRICT):
    return Lease.from_grant(grant.model_dump(mode="json"), sent_us=0, durability=durability)


def step(name):
    return {
        "type": "step.completed", "path": name, "name": name, "input_digest": DIGEST, "started_at_us": 1,
        "ended_at_us": 2, "output": {"b": 1, "a": [name]},
    }  # fmt: skip


def test_keys_are_made_listed_by_pages_and_revoked(client, settings):
    assert client.get_whoami().tenant
    made = [client.create_key(CreateKey(name=f"key {n}")) for n in range(5)]
    names = [key.name for key in client.each(client.list_keys, limit=2)]
    assert names[:5] == [f"key {n}" for n in reversed(range(5))]

    client.revoke_key(made[0].api_key_id)
    with Client(settings.base_url, made[0].api_key) as revoked, pytest.raises(KeyRevoked):
        revoked.get_whoami()


def test_a_secret_is_not_repeated(client):
    client.create_key(CreateKey(name="ci"), idempotency_key="one")
    with pytest.raises(SecretNotRepeatable):
        client.create_key(CreateKey(name="ci"), idempotency_key="one")


def test_an_execution_written_over_the_lean_connection_reads_back_as_it_was(client, transport):
    grant = start(client)
    lease = lease_of(grant)
    for name in ("first", "second"):
        assert transport.write(Write(lease, step(name))).seq
    transport.write(Write(lease, {"type": "execution.completed", "output": {"z": 1, "a": 2}}))

    shown = client.get_execution(lease.execution_id)
    assert shown.status is ExecutionStatus.COMPLETED
    assert list(shown.output) == ["z", "a"], "keys keep their order"
    assert [each.key for each in shown.steps] == ["first", "second"]
    events = [event.seq for event in client.each(client.list_events, lease.execution_id, limit=2)]
    assert events == list(range(1, len(events) + 1))
    assert [each.id for each in client.list_executions(status=ExecutionStatus.COMPLETED).items] == [
        lease.execution_id
    ]
    with pytest.raises(NotFound):
        client.get_execution("ex_nobody")


def test_lost_answers_and_doubled_requests_leave_every_step_recorded_once(client, transport):
    chance = random.Random(3)
    guard = threading.Lock()

    def unreliable(request):
        with guard:
            before, after, twice = (chance.random() < 0.15 for _ in range(3))
        if before:
            raise away()
        if twice:
            transport.http(request)
        answer = transport.http(request)
        if after:
            raise away()
        return answer

    writer = Writer(unreliable, sleep=lambda _: None)
    leases = [lease_of(start(client)) for _ in range(8)]

    def run(lease):
        for number in range(10):
            writer.write(Write(lease, step(f"s{number}")))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, leases))
    for lease in leases:
        steps = list(client.each(client.list_steps, lease.execution_id))
        assert sorted(each.key for each in steps) == [f"s{number}" for number in range(10)]
        done = [
            event for event in client.each(client.list_events, lease.execution_id) if "step." in event.type
        ]
        assert len(done) == 10


def test_a_server_that_restarts_is_waited_for(client, transport, running_server):
    lease = lease_of(start(client))
    transport.write(Write(lease, step("before")))
    running_server.kill()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(transport.write, Write(lease, step("after"), within_s=100))
        running_server.restart()
        assert waiting.result(100).seq
    assert {each.key for each in client.get_execution(lease.execution_id).steps} == {"before", "after"}


def test_what_was_started_and_done_offline_is_there_afterwards(settings, running_server, client):
    running_server.kill()
    transport = Transport(settings)
    lease = make_lease("ex_01k9zzzzzzzzzzzzzzzzzzzzzz", token="a" * 32, durability=Durability.RELAXED)
    command = {
        "id": lease.execution_id, "workflow": "w", "driver": "local", "input_digest": DIGEST,
        "durability": "relaxed", "lease_token": lease.token, "input": {"x": 1},
    }  # fmt: skip
    transport.start_offline(lease, json_bytes(command))
    transport.write(Write(lease, step("offline")))
    with pytest.raises(ConnectionLost):
        transport.drain(lease, 0.1)
    running_server.restart()
    transport.write(Write(lease, {"type": "execution.completed", "output": "done"}))
    transport.drain(lease, 60)

    shown = client.get_execution(lease.execution_id)
    assert (shown.status, shown.output, shown.attempt) == (ExecutionStatus.COMPLETED, "done", 1)
    assert [each.key for each in shown.steps] == ["offline"]
    transport.close()
    assert list((settings.folder / "spool").glob("*.spool")) == []


def test_events_are_followed_live_and_over_a_restart(client, transport, running_server):
    lease = lease_of(start(client))
    live = client.stream_execution_events(lease.execution_id)
    first = next(live)
    transport.write(Write(lease, step("a")))
    assert (first.seq, next(live).type) == (1, "step.completed")
    running_server.kill()
    running_server.restart()
    transport.write(Write(lease, step("b")))
    following = next(live)
    assert (following.seq, following.type) == (3, "step.completed")
    live.close()


def test_a_cancel_is_heard_with_the_next_answer(client, transport):
    lease = lease_of(start(client))
    client.cancel_execution(lease.execution_id, CancelExecution(comment="enough"))
    assert transport.write(Write(lease, step("a"))).cancel_requested
    assert lease.cancel_requested
