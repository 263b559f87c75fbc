"""Nodes pushed to webhooks: reply, callback, failure, rotation, cancel, dead targets."""

import asyncio
import contextlib
import json
from dataclasses import dataclass

import pytest

from omium.server.webhooks.keeping import Keeper
from omium.server.webhooks.messages import SAID_BYTES_MAX
from omium.server.webhooks.pusher import TRIES_MAX, Pusher
from tests.alerts.targets import HttpTarget, open_target
from tests.serverfixture import AppClient, open_app_client, test_settings
from tests.tasks.specs import SPENT, fund, no_sleep, start_node


@dataclass
class Pushing:
    """A client, its target, and the background's work by hand."""

    client: AppClient
    target: HttpTarget
    other: HttpTarget
    pusher: Pusher
    keeper: Keeper

    async def create(self, **fields):
        body = {"name": "tools", "url": self.target.url, "handlers": ["enrich"]} | fields
        reply = await self.client.post_keyed("/v1/webhooks", body)
        assert reply.status_code == 201, reply.text
        return reply.json()

    async def start(self, **node):
        """Start a workflow of one node; returns the execution's id."""
        return await start_node(self.client, **node)

    async def push(self):
        """Send what is ready, and wait until it is recorded."""
        begun = await self.pusher.run_once()
        await self.pusher.settle()
        return begun

    async def detail(self, execution_id):
        return (await self.client.get(f"/v1/executions/{execution_id}")).json()

    async def call_back(self, token, **said):
        return await self.client.as_nobody().post("/v1/tasks/callback", json={"token": token, **said})

    async def webhook(self):
        (found,) = (await self.client.get("/v1/webhooks")).json()["items"]
        return found

    def sent(self, kind="task.requested"):
        messages = [json.loads(received.body) for received in self.target.received]
        return [message["data"] for message in messages if message["type"] == kind]


@contextlib.asynccontextmanager
async def open_pushing(tmp_path, database_url=None, **chosen):
    async with open_target() as target, open_target() as other:
        target.body = b'{"output": {"facts": 3}}'
        settings = test_settings(
            tmp_path,
            outbound_allow=(target.allowed, other.allowed),
            outbound_timeout_s=5.0,
            database_url=database_url,
            **chosen,
        )
        async with open_app_client(settings) as client:
            server = client.server
            parts = (server.engine, server.webhooks, server.known_secrets)
            pusher = Pusher(*parts, server.live, client.clock, sleep=no_sleep)
            keeper = Keeper(*parts, pusher, client.clock, sleep=no_sleep)
            yield Pushing(client, target, other, pusher, keeper)
            await keeper.stop()
            await pusher.stop()


@pytest.fixture
async def pushing(tmp_path):
    async with open_pushing(tmp_path) as opened:
        yield opened


@pytest.fixture
async def each_pushing(tmp_path, database_url):
    """The same on SQLite and on PostgreSQL."""
    async with open_pushing(
        tmp_path, database_url if database_url.startswith("postgresql://") else None
    ) as opened:
        yield opened


@pytest.fixture
async def each_metered(tmp_path, database_url):
    """The same with credits."""
    address = database_url if database_url.startswith("postgresql://") else None
    async with open_pushing(tmp_path, address, metering=True) as opened:
        await fund(opened.client)
        yield opened


async def test_a_node_is_done_by_the_reply_of_a_target(each_pushing):
    pushing = each_pushing
    await pushing.create()
    execution_id = await pushing.start()

    assert await pushing.push() == 1

    detail = await pushing.detail(execution_id)
    assert (detail["status"], detail["output"]) == ("completed", {"said": {"facts": 3}})
    (asked,) = pushing.sent()
    assert (asked["node"], asked["handler"], asked["inputs"]) == ("n", "enrich", {"topic": "tea"})
    assert (asked["attempt"], asked["callback_path"]) == (1, "/v1/tasks/callback")
    assert (await pushing.webhook())["open"] == 0
    assert await pushing.push() == 0


async def test_a_target_is_given_nothing_of_other_handlers_environments_and_queues(pushing):
    await pushing.create(handlers=["other"])
    await pushing.create(environment="prod")
    await pushing.create(queue="elsewhere")
    await pushing.start()

    assert await pushing.push() == 0
    assert pushing.target.received == []


async def test_a_target_that_accepts_calls_back_with_the_tasks_own_token(each_pushing):
    pushing = each_pushing
    await pushing.create()
    execution_id = await pushing.start()
    pushing.target.status, pushing.target.body = "202 Accepted", b""
    await pushing.push()
    assert (await pushing.detail(execution_id))["status"] == "running"
    assert (await pushing.webhook())["open"] == 1

    token = pushing.sent()[0]["token"]
    wrong = await pushing.call_back(token + "x", output=1)
    assert (wrong.status_code, wrong.json()["code"]) == (404, "not-found")
    answer = await pushing.call_back(token, output=[1, 2])

    assert answer.json() == {"state": "completed"}
    assert (await pushing.detail(execution_id))["output"] == {"said": [1, 2]}
    again = await pushing.call_back(token, output=[1, 2])
    assert again.json() == {"state": "completed"}
    other = await pushing.call_back(token, output=[3])
    assert (other.status_code, other.json()["code"]) == (409, "step-conflict")
    assert (await pushing.detail(execution_id))["output"] == {"said": [1, 2]}


async def test_a_callback_that_is_larger_than_a_reply_is_refused_before_it_is_read(pushing):
    too_large = await pushing.call_back("t" * 43, output="x" * SAID_BYTES_MAX)
    assert (too_large.status_code, too_large.json()["limit_bytes"]) == (413, SAID_BYTES_MAX)
    read = await pushing.call_back("t" * 43, output="x" * (SAID_BYTES_MAX - 100))
    assert read.status_code == 404


async def test_a_callback_that_never_comes_is_a_failed_try(pushing):
    await pushing.create(callback_s=60)
    execution_id = await pushing.start()
    pushing.target.status, pushing.target.body = "202 Accepted", b""
    await pushing.push()

    pushing.client.clock.advance(seconds=59)
    await pushing.keeper.run_once()
    assert (await pushing.detail(execution_id))["status"] == "running"
    pushing.client.clock.advance(seconds=2)
    await pushing.keeper.run_once()

    detail = await pushing.detail(execution_id)
    assert (detail["status"], detail["error"]["code"]) == ("failed", "timeout")
    late = await pushing.call_back(pushing.sent()[0]["token"], output=1)
    assert (late.status_code, late.json()["code"]) == (409, "lease-lost")


@pytest.mark.parametrize(
    ("said", "status"),
    [({"output": 1}, 409), ({"error": {"type": "E", "message": "m"}}, 200)],
    ids=["another-end", "the-same-end"],
)
async def test_what_a_lost_target_has_spent_is_charged_once_whatever_it_is_told(each_metered, said, status):
    pushing = each_metered
    await pushing.create(callback_s=60)
    execution_id = await pushing.start()
    pushing.target.status, pushing.target.body = "202 Accepted", b""
    await pushing.push()
    pushing.client.clock.advance(seconds=61)
    await pushing.keeper.run_once()
    before = await pushing.detail(execution_id)

    for _ in range(2):
        late = await pushing.call_back(pushing.sent()[0]["token"], usage=[SPENT], **said)
        assert late.status_code == status

    after = await pushing.detail(execution_id)
    assert (before["usage"]["input_tokens"], after["usage"]["input_tokens"]) == (0, 1000)
    assert after["cost"]["usage_microcredits"] > before["cost"]["usage_microcredits"] == 0
    assert after["status"] == before["status"] == "failed"


async def test_what_another_result_has_cost_is_charged_though_the_first_one_stands(each_metered):
    pushing = each_metered
    await pushing.create()
    execution_id = await pushing.start()
    await pushing.push()
    token = pushing.sent()[0]["token"]

    for _ in range(2):
        other = await pushing.call_back(token, output="other", usage=[SPENT])
        assert (other.status_code, other.json()["code"]) == (409, "step-conflict")

    detail = await pushing.detail(execution_id)
    assert (detail["output"], detail["usage"]["input_tokens"]) == ({"said": {"facts": 3}}, 1000)
    assert detail["cost"]["usage_microcredits"] > 0


async def test_an_error_in_the_reply_is_judged_by_the_nodes_policy(pushing):
    await pushing.create()
    retry = {"max_attempts": 3, "initial_delay_s": 0, "jitter": False, "give_up_on": ["Hopeless"]}
    execution_id = await pushing.start(retry=retry)
    pushing.target.body = b'{"error": {"type": "Hopeless", "message": "no such topic"}}'
    await pushing.push()

    detail = await pushing.detail(execution_id)
    assert (detail["status"], detail["error"]["message"]) == ("failed", "no such topic")
    assert len(pushing.sent()) == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        ("302 Found", b"", "webhook-refused"),
        ("500 Oops", b"", "webhook-refused"),
        ("200 OK", b"fine", "webhook-reply-invalid"),
        ("200 OK", b'{"result": 1}', "webhook-reply-invalid"),
        ("200 OK", b'{"output": 1, "error": {"message": "m"}}', "webhook-reply-invalid"),
    ],
)
async def test_whatever_is_no_good_reply_is_a_failed_try(pushing, status, body, code):
    await pushing.create()
    execution_id = await pushing.start()
    pushing.target.status, pushing.target.body = status, body
    pushing.target.extra = "location: https://example.com/\r\n"
    await pushing.push()

    detail = await pushing.detail(execution_id)
    assert (detail["status"], detail["error"]["code"]) == ("failed", code)
    assert len(pushing.target.received) == 1  # a redirect is not followed, an answer is not asked for again


async def test_a_target_that_is_gone_is_disabled_until_a_test_finds_it_again(pushing):
    made = await pushing.create()
    execution_id = await pushing.start()
    pushing.target.status = "410 Gone"
    await pushing.push()
    assert (await pushing.detail(execution_id))["error"]["code"] == "webhook-gone"
    assert (await pushing.webhook())["status"] == "disabled"

    second = await pushing.start()
    assert await pushing.push() == 0
    pushing.target.status = "200 OK"
    await pushing.client.post(f"/v1/webhooks/{made['id']}/test")
    assert (await pushing.webhook())["status"] == "active"
    assert await pushing.push() == 1
    assert (await pushing.detail(second))["status"] == "completed"


async def test_a_target_that_is_busy_is_asked_again_under_the_same_id_and_token(pushing):
    await pushing.create()
    execution_id = await pushing.start()
    pushing.target.status = "503 Busy"
    await pushing.push()

    assert (await pushing.detail(execution_id))["status"] == "failed"
    assert len(pushing.target.received) == TRIES_MAX
    assert len({received.headers["webhook-id"] for received in pushing.target.received}) == 1
    assert len({asked["token"] for asked in pushing.sent()}) == 1


async def test_a_slow_target_holds_up_no_other_and_has_no_more_than_its_concurrency(each_pushing):
    pushing = each_pushing
    slow = pushing.other
    slow.hold.clear()
    await pushing.create(url=slow.url, handlers=["slow"], concurrency=2)
    await pushing.create()
    stuck = [await pushing.start(handler="slow") for _ in range(4)]
    quick = [await pushing.start() for _ in range(3)]

    while await pushing.pusher.run_once():
        pass
    while len(pushing.pusher.sending) > 2:
        await asyncio.wait(pushing.pusher.sending.values(), return_when=asyncio.FIRST_COMPLETED)
    assert [(await pushing.detail(each))["status"] for each in quick] == ["completed"] * 3
    assert len(slow.received) <= 2

    slow.body = b'{"output": 1}'
    slow.hold.set()
    await pushing.pusher.settle()
    while await pushing.push():
        pass
    assert [(await pushing.detail(each))["status"] for each in stuck] == ["completed"] * 4


async def test_what_runs_long_keeps_its_lease_and_is_told_when_it_is_cancelled(each_pushing):
    pushing = each_pushing
    await pushing.create()
    execution_id = await pushing.start()
    pushing.target.status, pushing.target.body = "202 Accepted", b""
    await pushing.push()
    await pushing.client.post_keyed(f"/v1/executions/{execution_id}/cancel", {})

    pushing.target.status = "200 OK"
    await pushing.keeper.run_once()
    await pushing.pusher.settle()

    (told,) = pushing.sent("task.cancel")
    assert (told["execution_id"], told["path"]) == (execution_id, "n")
    assert (await pushing.webhook())["open"] == 0
    await pushing.keeper.run_once()
    await pushing.pusher.settle()
    assert len(pushing.sent("task.cancel")) == 1


async def test_an_effect_whose_target_was_never_reached_may_be_tried_again_and_another_may_not(pushing):
    await pushing.create()
    retry = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False}
    unknown = await pushing.start(effect=True, retry=retry)
    pushing.target.status = "500 Oops"
    await pushing.push()

    detail = await pushing.detail(unknown)
    assert (detail["status"], detail["reason"]) == ("paused", "effect")
    (asked,) = pushing.sent()
    assert asked["effect_key"]
