"""A life: what may happen to an execution, request by request, and what is recorded of it after each.

    async with open_life(data) as life:
        await life.live(life_id(1), say)           # in the process that is to be harmed
    async with open_life(data) as life:            # afterwards, unharmed
        wrong = await life.look(life_id(1), acknowledged)

`acknowledged` of its requests were answered: their events are there, that of the next request or none, and
from there it goes on to the same events as if nothing had happened.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from omium.clock import SystemClock
from omium.models.account import NewKey
from omium.server.app import open_app
from omium.server.engine.verify import list_problems
from omium.server.settings import ServerSettings
from tests.engine.harness import digest_of, process
from tests.serverfixture import AppClient, insert_tenant

KEY_FILE = "life.json"  # the owner's key, beside the server's folder
LARGE = "large " * 20_000  # goes into payloads of its own
ERROR = {"type": "ValueError", "message": "boom"}
# The event that each request of a life adds.
EVENTS = [
    "execution.started",
    "step.completed",
    "effect.intended",
    "effect.done",
    "checkpoint.saved",
    "step.attempt_failed",
    "step.completed",
    "execution.failed",
]


def life_id(number: int) -> str:
    """Return the id of one of many executions, the same in every run."""
    return f"ex_{number:026}"


class Life:
    """An open server to live on; made by `open_life`."""

    def __init__(self, client: AppClient) -> None:
        self._client = client

    async def live(
        self, execution_id: str, say: Callable[[str], None], requests: range | None = None
    ) -> None:
        """Send the requests one by one and say "<execution_id> <number>" after each answer."""
        for number in range(len(EVENTS)) if requests is None else requests:
            path, body = await self._request(execution_id, number)
            reply = await self._client.post(path, json=body)
            assert reply.status_code == 200, reply.text
            if number:
                (result,) = reply.json()["groups"][0]["results"]
                assert result["problem"] is None, result
            say(f"{execution_id} {number}")

    async def look(self, execution_id: str, acknowledged: int) -> str | None:
        """Return what is wrong with an execution of which so many requests were acknowledged; go on."""
        found = await self.list_events(execution_id)
        done = len(found)
        if found != EVENTS[:done]:
            return f"half done: {found}"
        if done < acknowledged:
            return f"{acknowledged} acknowledged, {done} there"
        if done > acknowledged + 1:
            return f"{done} there, {acknowledged} acknowledged"
        # The one in flight is sent again, as its client would.
        await self.live(execution_id, lambda _line: None, range(acknowledged, len(EVENTS)))
        ended = await self.list_events(execution_id)
        return None if ended == EVENTS else f"went on to {ended}"

    async def list_events(self, execution_id: str) -> list[str]:
        reply = await self._client.get(f"/v1/executions/{execution_id}/events?limit=200")
        if reply.status_code == 404:
            return []
        assert reply.status_code == 200, reply.text
        return [event["type"] for event in reply.json()["items"]]

    async def list_problems(self) -> list[str]:
        """Return what the server's own check finds, of the file and of what is in it."""
        db = self._client.server.db
        return [*await db.integrity_problems(), *await list_problems(db)]

    async def _request(self, execution_id: str, number: int) -> tuple[str, dict[str, object]]:
        if number == 0:
            return "/v1/executions", {
                "id": execution_id,
                "workflow": "life",
                "driver": "local",
                "input": {"topic": execution_id},
                "input_digest": digest_of(execution_id),
                "lease_token": _token(execution_id),
                "process": process().model_dump(),
            }
        writes: list[dict[str, object]] = [
            _step("step.completed", "search", output=[1, 2]),
            _step("effect.intended", "pay", kind="effect", mode="once"),
            _step("effect.ended", "pay", kind="effect", state="done", output="paid"),
            {
                "type": "checkpoint.saved",
                "id": f"cp_{execution_id[3:]}",
                "name": "state",
                "state": LARGE,
                "at_us": 1,
            },
            _step("step.attempt_failed", "write", error=ERROR, delay_us=1),
            _step("step.completed", "write", attempt=2, output=LARGE + execution_id),
            {"type": "execution.failed", "error": ERROR},
        ]
        write = writes[number - 1]
        if write["type"] == "effect.ended":
            steps = (await self._client.get(f"/v1/executions/{execution_id}/effects")).json()["items"]
            write["effect_key"] = steps[0]["effect_key"]
        group = {"execution_id": execution_id, "epoch": 1, "lease_token": _token(execution_id)}
        return "/v1/writes", {"groups": [{**group, "writes": [write]}]}


def _step(kind_of_write: str, path: str, **fields: object) -> dict[str, object]:
    times = {"started_at_us": 1, "ended_at_us": 2}
    return {
        "type": kind_of_write,
        "path": path,
        "name": path,
        "input_digest": digest_of(path),
        **times,
        **fields,
    }


def _token(execution_id: str) -> str:
    return digest_of(execution_id)


async def make_folder(data: Path) -> None:
    """Make a folder with a database and a tenant, for `open_life`; copies of it are as good."""
    async with open_app(_settings(data), clock=SystemClock(), sweeps=False) as app:
        key = await insert_tenant(app.server, "test")
    (data / KEY_FILE).write_text(json.dumps(key.model_dump(mode="json")))


@asynccontextmanager
async def open_life(data: Path, **chosen: object) -> AsyncIterator[Life]:
    """Open the server of a folder that `make_folder` made: no socket, nothing in the background."""
    key = NewKey.model_validate_json((data / KEY_FILE).read_text())
    clock = SystemClock()
    async with (
        open_app(_settings(data, **chosen), clock=clock, sweeps=False) as app,
        AppClient(app, clock, key) as client,  # type: ignore[arg-type]
    ):
        yield Life(client)


def _settings(data: Path, **chosen: object) -> ServerSettings:
    usual = {"data": data, "ballast_bytes": 0, "lease_s": 86_400.0, "metering": False}
    return ServerSettings(**(usual | chosen))  # type: ignore[arg-type]
