"""A scripted OpenAI-compatible provider on loopback, and the context of a task without an engine."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

from omium.errors import InvalidRequest
from omium.server.builtin.context import TaskGrant, Turn

KEY = "sk-of-the-provider-0123456789"


def say(content: str, **further: Any) -> dict[str, Any]:
    """An answer in words."""
    return {"message": {"role": "assistant", "content": content}, "finish_reason": "stop", **further}


def ask_for(*calls: tuple[str, Any]) -> dict[str, Any]:
    """An answer that asks for tools."""
    tool_calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": text if isinstance(text, str) else json.dumps(text)},
        }
        for number, (name, text) in enumerate(calls, 1)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
    return {"message": message, "finish_reason": "tool_calls"}


@dataclass
class ScriptedModel:
    """Answers from `script`, in order: choices, or (status, headers, body)."""

    port: int = 0
    script: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = asked.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.paths.append(first.split(" ")[1])
            self.headers.append(headers)
            self.requests.append(json.loads(body) if body else {})
            status, extra, data = self._next()
            # Said, not only done: a client that keeps connections would ask again on one that is closing.
            head = f"HTTP/1.1 {status} X\r\n{extra}connection: close\r\ncontent-length: {len(data)}\r\n\r\n"
            writer.write(head.encode() + data)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def _next(self) -> tuple[int, str, bytes]:
        step = self.script.pop(0)
        if isinstance(step, tuple):
            status, extra, body = step
            return status, extra, body if isinstance(body, bytes) else json.dumps(body).encode()
        usage = {
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 2},
        }
        body = {"id": "x", "model": "tiny-1", "choices": [{"index": 0, **step}], "usage": usage}
        return 200, "content-type: application/json\r\n", json.dumps(body).encode()


@contextlib.asynccontextmanager
async def open_model(*script: Any):
    model = ScriptedModel(script=list(script))
    server = await asyncio.start_server(model.answer, "127.0.0.1", 0)
    model.port = server.sockets[0].getsockname()[1]
    try:
        yield model
    finally:
        server.close()
        await server.wait_closed()


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Engine:
    """What an engine keeps of a task: turns and usage, each once; `dies_after` crashes behind a turn."""

    secrets: dict[str, str] = field(default_factory=dict)
    turns: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    dies_after: str = ""
    is_cancelled: bool = False
    reserved: int = 0

    def now_us(self) -> int:
        return 1_800_000_000_000_000

    async def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise InvalidRequest(f"There is no secret named {name}.")
        return self.secrets[name]

    async def record_turn(self, name, output, usage=()) -> None:
        assert "/" not in name
        self.turns.setdefault(name, json.loads(json.dumps(output)))
        self.usage.update({each.id: each for each in usage})
        if name == self.dies_after:
            self.dies_after = ""
            raise Crash

    async def reserve(self) -> None:
        self.reserved += 1

    def grant(self, type_: str, **given: Any) -> TaskGrant:
        fields = {
            "tenant_id": "tn_1",
            "environment": "dev",
            "workflow": "research",
            "execution_id": "ex_1",
            "path": "write",
            "node": "write",
            "type": type_,
            "attempt": 1,
            "epoch": 1,
            "inputs": {},
            "parameters": {},
            "tools": {},
        }
        turns = tuple(Turn(name, output) for name, output in self.turns.items())
        return TaskGrant(**{**fields, "turns": turns, **given})
