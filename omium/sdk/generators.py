"""Generators as steps: streams pass through while they run, and are recorded as the list of their chunks.

Owns what is special about a stream: it is recorded when it is exhausted and not when its reader leaves early;
a try that failed is repeated only as long as the reader has seen nothing of it. A recorded stream yields its
chunks again; what a reader sends into it then is ignored, as is the generator's return value.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from omium.errors import Unserialisable
from omium.jsonvalue import JsonValue
from omium.sdk.attempts import Attempt, StepCall
from omium.sdk.book import Reuse
from omium.sdk.calls import Call, make_timeout
from omium.sdk.context import Frame
from omium.sdk.flows import AsyncPorts, Ports, drive_async, drive_sync
from omium.sdk.frames import shorten
from omium.sdk.pausing import wait_out
from omium.sdk.steps import count_failures, look_up, make_attempt, recall


def stream(prepared: Callable[[Any], StepCall], call: Call, ports: Ports) -> Generator[Any, Any, None]:
    """Run a generator function as a step."""
    step = prepared(_not_invoked)
    drive_sync(wait_out(step.driving, step.frame), ports)
    found = look_up(step)
    if isinstance(found, Reuse):
        yield from drive_sync(recall(step, found.entry), ports)
        return
    attempt, failures = make_attempt(step, found), drive_sync(count_failures(step, found), ports)
    while True:
        chunks = _Chunks(attempt)
        try:
            drive_sync(attempt.begin(), ports)
            with step.driving.running_path(attempt.path):
                yield from _pass_through(call, attempt, chunks)
            attempt.judge(chunks.output)
        except Exception as error:
            failures += 1
            delay_s = drive_sync(attempt.fail(error, chunks.limit(failures)), ports)
            if delay_s is None:
                shorten(error)
                raise
        except BaseException as error:  # closed early, or interrupted: not recorded
            drive_sync(attempt.interrupt(error), ports)
            raise
        else:
            drive_sync(attempt.succeed_encoded(chunks.output), ports)
            return
        drive_sync(attempt.wait(delay_s), ports)
        attempt = attempt.next()


async def stream_async(
    prepared: Callable[[Any], StepCall], call: Call, find_ports: Callable[[], AsyncPorts]
) -> AsyncGenerator[Any, Any]:
    """Run an async generator function as a step."""
    step, ports = prepared(_not_invoked), find_ports()
    await drive_async(wait_out(step.driving, step.frame), ports)
    found = look_up(step)
    if isinstance(found, Reuse):
        for chunk in await drive_async(recall(step, found.entry), ports):
            yield chunk
        return
    attempt, failures = make_attempt(step, found), await drive_async(count_failures(step, found), ports)
    while True:
        chunks = _Chunks(attempt)
        inner: AsyncGenerator[Any, Any] = call.fn(*call.args, **call.kwargs)
        try:
            await drive_async(attempt.begin(), ports)
            with step.driving.running_path(attempt.path):
                sent: Any = None
                while True:
                    try:
                        with attempt.frame.entered():
                            chunk = await inner.asend(sent)
                    except StopAsyncIteration:
                        break
                    chunks.add(chunk)
                    sent = yield chunk
            attempt.judge(chunks.output)
        except Exception as error:
            failures += 1
            delay_s = await drive_async(attempt.fail(error, chunks.limit(failures)), ports)
            if delay_s is None:
                shorten(error)
                raise
        except BaseException as error:  # closed early, or interrupted: not recorded
            with attempt.frame.entered():
                await inner.aclose()
            if not isinstance(error, GeneratorExit):  # a closing generator may not wait for anything more
                await drive_async(attempt.interrupt(error), ports)
            raise
        else:
            await drive_async(attempt.succeed_encoded(chunks.output), ports)
            return
        await drive_async(attempt.wait(delay_s), ports)
        attempt = attempt.next()


class _Chunks:
    """What a stream has yielded so far, encoded at once: the reader may change what it was given."""

    def __init__(self, attempt: Attempt) -> None:
        self._encoded: list[JsonValue] = []
        self._seen = False
        self._attempt = attempt
        timeout_s = attempt.call.options.timeout_s
        self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s

    def add(self, chunk: object) -> None:
        """Keep `chunk`; `StepTimeout` once the stream takes too long, `Unserialisable` if it cannot be."""
        options = self._attempt.call.options
        if self._deadline_s is not None and time.monotonic() > self._deadline_s:
            assert options.timeout_s is not None
            raise make_timeout(self._attempt.path, options.timeout_s)
        if options.record:
            self._encoded.append(self._attempt.encode(chunk))
        self._seen = True

    @property
    def output(self) -> JsonValue:
        """The whole stream as it is recorded."""
        return self._encoded if self._attempt.call.options.record else None

    def limit(self, failures: int) -> int:
        """Return `failures`, or more than any policy allows once the reader has seen something."""
        return 2**31 if self._seen else failures


def _pass_through(call: Call, attempt: Attempt, chunks: _Chunks) -> Generator[Any, Any, None]:
    """Yield what the user's generator yields; its body runs in the step's frame, its reader's does not."""
    frame, context = attempt.frame, attempt.frame.make_context()
    inner: Generator[Any, Any, Any] = call.fn(*call.args, **call.kwargs)
    step, argument = inner.send, None
    try:
        while True:
            try:
                chunk = frame.resume(context, step, argument)
            except StopIteration:
                return
            chunks.add(chunk)
            try:
                argument, step = (yield chunk), inner.send
            except GeneratorExit:
                raise
            except BaseException as error:  # the reader throws into the stream: its generator decides
                argument, step = error, inner.throw
    finally:
        frame.resume(context, inner.close)


def _not_invoked(_frame: Frame) -> object:
    raise Unserialisable("A stream is not invoked as a whole.")


__all__ = ["stream", "stream_async"]
