"""State: what steps keep in `ctx.store`, as it was after each of them.

Owns the store that steps are given: it counts what each of them writes. A step's record holds the state at
its end, and how often steps beside it had written until then. After a crash the state is that of the last
record; a step that was cut off runs again, and its writes that are in there already are not done a second
time, so a counter counts once. Values that are changed in place, without `set` or `edit_state`, are not
counted.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from workflows.context.state_store import InMemoryStateStore, decode_seed_state
from workflows.runtime.types.results import StepWorkerStateContextVar

from omium.adapters.llama_index.values import EventCodec
from omium.errors import Unserialisable


class RecordedStore:
    """The store of one run. What is not named here is LlamaIndex's own."""

    def __init__(self, inner: InMemoryStateStore[Any], codec: EventCodec) -> None:
        self._inner = inner
        self._codec = codec
        self._writes: Counter[str] = Counter()
        self._known: Counter[str] = Counter()
        self._done: set[str] = set()
        self._at = 0
        self._told = self._dump()

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # a half-made copy
            raise AttributeError(name)
        return getattr(self._inner, name)

    async def set_state(self, state: Any) -> None:
        """As the store's own."""
        if self._begin():
            await self._inner.set_state(state)

    async def set(self, path: str, value: Any) -> None:
        """As the store's own."""
        if self._begin():
            await self._inner.set(path, value)

    async def clear(self) -> None:
        """As the store's own."""
        if self._begin():
            await self._inner.clear()

    @asynccontextmanager
    async def edit_state(self) -> AsyncIterator[Any]:
        """As the store's own; an edit that is in the state already is made to a copy."""
        if self._begin():
            async with self._inner.edit_state() as state:
                yield state
        else:
            yield copy.deepcopy(await self._inner.get_state())

    def _begin(self) -> bool:
        """Count a write of the step that makes it; False where the state holds it already."""
        writer = _find_writer()
        if writer is None:
            return True
        self._writes[writer] += 1
        return self._writes[writer] > self._known[writer]

    def record(self, invocation: str) -> dict[str, Any]:
        """Return what the record of a step that ends says of the state; nothing if it is as it was."""
        told = self._dump()
        if told == self._told:
            return {}
        self._at += 1
        beside = {
            writer: count
            for writer, count in self._writes.items()
            if writer != invocation and writer not in self._done
        }
        return {"state": told, "state_number": self._at, "writes": beside}

    async def deliver(self, invocation: str, recorded: dict[str, Any], *, again: bool) -> None:
        """Note that a step's result counts from now on; from a record (`again`) the state is taken, too."""
        self._done.add(invocation)
        number = recorded.get("state_number", 0)
        if number == 0 or (again and number < self._at):
            return
        self._told = recorded["state"]
        if again:
            self._at = number
            await self._inner._write_state(decode_seed_state(self._told, self._codec))  # noqa: SLF001  # `set_state` merges
            for writer, count in recorded["writes"].items():
                self._known[writer] = max(self._known[writer], count)

    def _dump(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = self._inner.to_dict(self._codec)
        except Exception as error:  # a boundary: the state holds whatever a user puts into it
            raise Unserialisable(
                f"What the workflow keeps in `ctx.store` cannot be recorded: {error}. Keep there what is JSON"
                " or pydantic, and clients, indexes and the like on the workflow itself or in a Resource."
            ) from error
        return told


def _find_writer() -> str | None:
    try:
        found: str | None = StepWorkerStateContextVar.get().state.invocation_id
    except LookupError:  # code around the workflow
        return None
    return found
