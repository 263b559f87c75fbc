"""An execution with one of everything, over HTTP in this process, and a client of the server that has it."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from omium.config import Settings
from omium.ids import new_id
from omium.sdk.async_client import AsyncClient
from omium.sdk.transport.client import AsyncHttpxTransport
from omium.sdk.wire import Target
from tests.serverfixture import BASE_URL, AppClient

DIGEST = "0" * 64
TOKEN = "t" * 32
PROCESS = {"boot_id": "boot", "pid_namespace": "ns", "pid": 1, "started_ticks": 1}
LONG = {"text": "a long answer, ü " * 3_000}
"""More than a list shows of one value."""
SECRET = "sk-" + "Zq3vT8xYw1Lm5Np7" * 3
HOSTILE = "\x1b]0;owned\x07\x1b[31m[@click=app.quit]\u202ered\u0085"


def new_execution_id() -> str:
    return new_id("ex", 1)


@dataclass
class Recorded:
    """A server's app and what was recorded on it."""

    app: AppClient
    id: str = field(default_factory=new_execution_id)
    children: list[str] = field(default_factory=lambda: [new_execution_id(), new_execution_id()])
    replay: str = ""

    def client(self) -> AsyncClient:
        """Return an SDK client of the app."""
        target = Target(BASE_URL, self.app.api_key)
        inner = httpx.ASGITransport(self.app.app, raise_app_exceptions=True)
        return AsyncClient(
            settings=Settings(base_url=BASE_URL, api_key=self.app.api_key),
            transport=AsyncHttpxTransport(target, inner=inner),
        )

    async def post(self, path: str, body: object) -> dict:
        reply = await self.app.post_keyed(path, body)
        assert reply.status_code in (200, 201), reply.text
        return reply.json()

    async def start(self, execution_id: str, **fields: object) -> None:
        start = {"id": execution_id, "workflow": "report", "driver": "local", "input_digest": DIGEST}
        start |= {"lease_token": TOKEN, "process": PROCESS, "input": {"topic": "tea"}}
        await self.post("/v1/executions", start | fields)

    async def write(self, execution_id: str, *writes: dict) -> list[dict]:
        group = {"execution_id": execution_id, "epoch": 1, "lease_token": TOKEN, "writes": list(writes)}
        results = (await self.post("/v1/writes", {"groups": [group]}))["groups"][0]["results"]
        assert [each["problem"] for each in results] == [None] * len(writes)
        return results


def step(path: str, type_: str = "step.completed", **fields: object) -> dict:
    times = {"started_at_us": 1_000, "ended_at_us": 2_000}
    return (
        {"type": type_, "path": path, "name": path.rpartition("/")[2], "input_digest": DIGEST}
        | times
        | fields
    )


def usage(usage_id: str) -> dict:
    return {"id": usage_id, "model": "m", "provider": "p", "input_tokens": 70, "output_tokens": 7, "at_us": 1}


def line(text: str, at_us: int = 1) -> dict:
    return {"at_us": at_us, "stream": "stdout", "text": text}


async def record(app: AppClient, *, steps: int = 7, hostile: str = "") -> Recorded:
    """Record a failed execution with children, an effect, a checkpoint, logs, usage, and a replay of it."""
    made = Recorded(app)
    error = {"type": "ValueError", "message": f"nonsense{hostile}", "frames": []}
    await made.start(made.id, tags=["nightly"], business_key=f"order-1{hostile and '-x'}")
    plain = [
        step(f"s{number}", output={"n": number, "said": hostile}, input={"args": [hostile]})
        for number in range(steps)
    ]
    for at in range(0, steps, 200):
        await made.write(made.id, *plain[at : at + 200])
    await made.write(
        made.id,
        step("outer/long", output=LONG, usage=[usage(f"u-{made.id}")]),
        step("sealed", output={"api_key": SECRET}),
    )
    effect = (await made.write(made.id, step("charge", "effect.intended", kind="effect")))[0]["effect"]
    key = effect["effect_key"]
    await made.write(
        made.id,
        step("charge", "effect.ended", kind="effect", effect_key=key, state="done", output={"id": "ch_1"}),
        {"type": "checkpoint.saved", "id": new_id("cp", 1), "name": "small", "state": {"x": 1}, "at_us": 1},
        {"type": "checkpoint.saved", "id": new_id("cp", 2), "name": "large", "state": LONG, "at_us": 2},
        {
            "type": "log.written",
            "path": "s0",
            "attempt": 1,
            "chunk": 0,
            "lines": [line(f"said {hostile}"), line("then", 2)],
        },
        {"type": "log.written", "path": "s1", "attempt": 1, "chunk": 0, "lines": [line("other")]},
        step("write", "step.attempt_failed", error=error, attempt=1, delay_us=1000),
    )
    for child in made.children:
        await made.start(child, parent_id=made.id, parent_path="s0")
        only = step("only", output=LONG, usage=[usage(f"u-{child}")])
        await made.write(child, only, {"type": "execution.completed", "output": 1})
    await made.write(
        made.id,
        step("write", "step.attempt_failed", error=error, attempt=2),
        {"type": "execution.failed", "path": "write", "error": error},
    )
    made.replay = (await made.post(f"/v1/executions/{made.id}/replay", {"from_step": "write"}))["execution"][
        "id"
    ]
    return made
