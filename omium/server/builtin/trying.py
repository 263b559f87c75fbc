"""Trying a provider: one short question, asked as a workflow's node would ask it, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omium.errors import InvalidRequest
from omium.jsonvalue import JsonValue
from omium.models.usage import RecordUsage
from omium.server.builtin.context import NO_USAGE, TaskFailed, TaskGrant
from omium.server.builtin.llm_call import run_llm_call
from omium.server.builtin.model import Models
from omium.server.builtin.providers import Providers

QUESTION: Final = "Answer with the one word: ready"
TOKENS: Final = 16


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it; `problem` is a sentence where nothing did."""

    model: str = ""
    said: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    problem: str = ""


class _Nobody:
    """The context of a node that no execution has."""

    @property
    def is_cancelled(self) -> bool:
        return False

    def now_us(self) -> int:
        return time.time_ns() // 1000

    async def secret(self, name: str) -> str:
        raise InvalidRequest(f"There is no secret named {name} here.")

    async def record_turn(
        self, name: str, output: JsonValue, usage: Sequence[RecordUsage] = NO_USAGE
    ) -> None:
        """Keep nothing."""

    async def reserve(self) -> None:
        """Cost nothing."""


def try_provider(path: Path, name: str, model: str, ca_file: str = "") -> Tried:
    """Ask the provider `name` of the file `path` one question."""
    llm: dict[str, JsonValue] = {"provider": name, "model": model, "parameters": {"max_tokens": TOKENS}}
    grant = TaskGrant(
        tenant_id="",
        environment="",
        workflow="",
        execution_id="",
        path="try",
        node="try",
        type="llm_call",
        attempt=1,
        epoch=1,
        inputs={},
        parameters={"prompt": QUESTION, "llm": llm},
        tools={},
    )
    ended = asyncio.run(run_llm_call(Models(Providers(path), ca_file=ca_file), _Nobody(), grant))
    if isinstance(ended, TaskFailed):
        return Tried(problem=ended.error.message)
    usage = ended.usage[0]
    return Tried(usage.model or "", str(ended.output), usage.input_tokens, usage.output_tokens)
