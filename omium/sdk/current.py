"""The current execution, as user code sees it from inside: checkpoints, usage, failures, effect keys.

Owns the public functions that need no execution object. Outside any execution they do nothing, as a step then
just runs, so that code with Omium in it works without.
"""

from __future__ import annotations

from typing import Any

from omium.errorinfo import describe_exception
from omium.ids import new_id
from omium.jsonvalue import decode, encode
from omium.sdk.calling import find_active_frame
from omium.sdk.context import Frame, find_task
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow, drive_async, drive_sync
from omium.sdk.identity import clean_name
from omium.sdk.starting import call
from omium.sdk.usage import make_usage


def checkpoint(name: str, state: object) -> None:
    """Make `state` durable under `name`; after a resume `load_checkpoint(name)` returns the newest of a name.

    Raises `Unserialisable` if the state has no JSON form. For what a step returns no checkpoint is needed.
    """
    frame = find_active_frame()
    if frame is not None:
        drive_sync(save(frame, name, state), frame.driving.link.ports)


async def acheckpoint(name: str, state: object) -> None:
    """Make `state` durable as `checkpoint` does, from async code."""
    frame = find_active_frame()
    if frame is not None:
        await drive_async(save(frame, name, state), frame.driving.link.async_ports())


def load_checkpoint(name: str, default: Any = None) -> Any:
    """Return the newest state that was saved under `name` in this execution, or `default`."""
    frame = find_active_frame()
    if frame is None:
        return default
    return drive_sync(load(frame, name, default), frame.driving.link.ports)


def capture_failure(error: BaseException) -> None:
    """Put an error that was caught into the failure inbox; the execution goes on."""
    frame = find_active_frame()
    if frame is not None:
        capture(frame, error)


def record_usage(
    *,
    model: str | None = None,
    provider: str | None = None,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
    calls: int = 1,
    cost_usd: float | None = None,
) -> None:
    """Record what a provider charged for.

    Inside a step it travels with the step's record, at no further cost. `cached_tokens` were read from the
    provider's cache and `cache_write_tokens` written to it: both are a part of `input_tokens`.
    `cost_usd` is what the provider itself says that it cost, if it does. In a handler it belongs to the node.
    """
    counts: dict[str, Any] = {
        "model": model,
        "provider": provider,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cached_tokens": cached_tokens,
        "cache_write_tokens": cache_write_tokens,
        "reasoning_tokens": reasoning_tokens,
        "calls": calls,
        "cost_usd": cost_usd,
    }
    if (frame := find_active_frame()) is not None:
        add_usage(frame, **counts)
    elif (task := find_task()) is not None:
        task.usage(**counts)


def effect_key() -> str | None:
    """Return the key of the effect that runs now, to hand to its receiver; None outside an effect.

    It is the same on every attempt, resume and replay, so a receiver that honours idempotency keys acts once.
    """
    if (frame := find_active_frame()) is not None:
        return frame.effect_key
    task = find_task()
    return None if task is None else task.effect_key


def execution_id() -> str | None:
    """Return the id of the execution that the caller runs in, None outside any."""
    if (frame := find_active_frame()) is not None:
        return str(frame.driving.execution_id)
    task = find_task()
    return None if task is None else task.execution_id


def save(frame: Frame, name: str, state: object) -> Flow[None]:
    """Write a checkpoint and wait until it is durable."""
    driving: Driving = frame.driving
    driving.check(frame)
    form = encode(state, types=driving.link.types)
    name = clean_name(name)
    now_us = driving.clock.now_us()
    yield from driving.write(
        {
            "type": "checkpoint.saved",
            "id": new_id("cp", now_us),
            "name": name,
            "path": frame.scope.path,
            "state": form,
            "at_us": now_us,
        }
    )
    driving.checkpoints[name] = form


def load(frame: Frame, name: str, default: object) -> Flow[Any]:
    """Return a saved state, fetching it if it was too large to travel with the grant."""
    driving: Driving = frame.driving
    name = clean_name(name)
    if name not in driving.checkpoints:
        return default
    form = driving.checkpoints[name]
    if isinstance(form, dict) and len(form) == 1 and "$checkpoint" in form:
        # Not the checkpoint's own address: that one shows people a sealed state as `[sealed]`.
        found = yield from call(
            "POST",
            f"/v1/executions/{driving.execution_id}/records",
            {"paths": [f"$checkpoint/{form['$checkpoint']}"]},
        )
        form = driving.checkpoints[name] = found["records"][0].get("output")
    return decode(form, types=driving.link.types)


def capture(frame: Frame, error: BaseException) -> None:
    """Let a caught error travel with the next write."""
    driving: Driving = frame.driving
    driving.along(
        {
            "type": "failure.captured",
            "id": new_id("fo", driving.clock.now_us()),
            "path": frame.scope.path,
            "error": describe_exception(error).to_json(),
        }
    )


def add_usage(
    frame: Frame,
    *,
    model: str | None = None,
    provider: str | None = None,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
    calls: int = 1,
    cost_usd: float | None = None,
) -> None:
    """Note usage with the step that it belongs to; outside any step it travels with the next write."""
    driving: Driving = frame.driving
    inside = frame.attempt > 0
    record = make_usage(
        driving.execution_id,
        frame.scope.path if inside else None,
        frame.attempt if inside else None,
        model=model,
        provider=provider,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached_tokens,
        cache_write_tokens=cache_write_tokens,
        reasoning_tokens=reasoning_tokens,
        calls=calls,
        cost_usd=cost_usd,
    )
    if inside:
        frame.usage.append(record)
    else:
        driving.along({"type": "usage.recorded", "usage": record})
