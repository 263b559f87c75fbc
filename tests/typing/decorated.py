"""What a type checker sees of decorated functions: mypy runs over this file, nothing imports it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, assert_type

import omium


@omium.step
def bare(x: int, *, name: str = "") -> list[str]:
    return [name] * x


@omium.step(retry=3, timeout_s=1.5, effect=True, compensate=lambda inputs, output, key: None)
def with_options(x: int) -> float:
    return x / 2


@omium.step(retry=omium.RetryPolicy(max_attempts=2), key=lambda x: f"k{x}")
async def asynchronous(x: int) -> bytes:
    return bytes(x)


@omium.step
def stream(n: int) -> Iterator[int]:
    yield from range(n)


@omium.step
async def async_stream(n: int) -> AsyncIterator[int]:
    for x in range(n):
        yield x


@omium.workflow
def flow(topic: str) -> dict[str, int]:
    return {topic: 1}


@omium.workflow(name="async-flow", takeover="auto", on_pause="wait")
async def async_flow(topic: str) -> str:
    return topic


class Agent:
    @omium.step
    def ask(self, question: str) -> str:
        return question


assert_type(bare(1, name="a"), list[str])
assert_type(with_options(3), float)
_bytes = assert_type(asynchronous(1), Coroutine[Any, Any, bytes])
assert_type(list(stream(3)), list[int])
assert_type(async_stream(3), AsyncIterator[int])
assert_type(flow("a"), dict[str, int])
_text = assert_type(async_flow("a"), Coroutine[Any, Any, str])
assert_type(Agent().ask("a"), str)

bare("1")  # type: ignore[arg-type]
bare(1, other=2)  # type: ignore[call-arg]
flow()  # type: ignore[call-arg]
omium.step(effect="twice")  # type: ignore[call-overload]
omium.workflow(durability="soon")  # type: ignore[call-overload]

handler: Callable[[int], float] = with_options
