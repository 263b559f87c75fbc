"""Model calls inside a task: each is recorded, so that a crash in an agent's loop asks for no answer twice.

Owns what is kept of a call (a digest of the conversation and its last message, not the whole of it each
time), what an answer looks like on record, and the tokens that the provider reported, which belong to the
call's step.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from pydantic import BaseModel

from omium.adapters.crew.plain import compute_digest, make_plain, shorten_text
from omium.adapters.crew.runs import Part, Run, arecord, find_place, record
from omium.sdk.context import Frame
from omium.sdk.current import record_usage
from omium.sdk.options import make_step_options

_NAME = "model"
_RESPONSE_MODEL_AT = 5  # its place behind the messages, where it is given by position
_inside: ContextVar[int | None] = ContextVar("omium_crew_model", default=None)
"""The model whose call runs: a class may call its parent's method, which is the same call."""
_counting = threading.RLock()
_tracking: ContextVar[bool] = ContextVar("omium_crew_tracking", default=False)
"""Whether tokens are being counted: a class may call its parent's method, which counts the same ones."""


def wrap_call(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a model's `call` that is recorded inside of a run."""

    @functools.wraps(method)
    def call(self: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
        place = _find(self)
        if place is None:
            return method(self, messages, *args, **kwargs)

        def work() -> Any:
            token = _inside.set(id(self))
            try:
                return method(self, messages, *args, **kwargs)
            finally:
                _inside.reset(token)

        return record(place, _describe(self, messages, args, kwargs), work)

    return call


def wrap_acall(method: Callable[..., Any]) -> Callable[..., Any]:
    """As `wrap_call`, for `acall`."""

    @functools.wraps(method)
    async def acall(self: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
        place = _find(self)
        if place is None:
            return await method(self, messages, *args, **kwargs)

        async def work() -> Any:
            token = _inside.set(id(self))
            try:
                return await method(self, messages, *args, **kwargs)
            finally:
                _inside.reset(token)

        return await arecord(place, _describe(self, messages, args, kwargs), work)

    return acall


def wrap_tracking(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a model counts its tokens with, told to the current step, too.

    It is called for each answer of the provider, in the thread that asked; what a call sums up afterwards
    (`CrewOutput.token_usage`) counts a model's whole life, and more than once.
    """

    @functools.wraps(method)
    def track(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _tracking.get() or find_place() is None:
            return method(self, *args, **kwargs)
        token = _tracking.set(True)
        try:
            with _counting:  # one model may answer several threads
                before = _read_counts(self)
                result = method(self, *args, **kwargs)
                after = _read_counts(self)
        finally:
            _tracking.reset(token)
        used = {name: after.get(name, 0) - before.get(name, 0) for name in after}
        if any(used.values()):
            record_usage(
                provider=getattr(self, "provider", None) or None,
                model=str(self.model),
                input_tokens=used.get("prompt_tokens", 0),
                output_tokens=used.get("completion_tokens", 0),
                cached_tokens=used.get("cached_prompt_tokens", 0),
                cache_write_tokens=used.get("cache_creation_tokens", 0),
                reasoning_tokens=used.get("reasoning_tokens", 0),
            )
        return result

    return track


def outside_models() -> Any:
    """Say that no model's call runs here: a tool that a model runs by itself may ask models of its own."""
    return _inside.set(None)


def inside_again(token: Any) -> None:
    """Undo `outside_models`."""
    _inside.reset(token)


def _find(model: Any) -> tuple[Run, Frame] | None:
    return None if _inside.get() == id(model) else find_place()


def _read_counts(model: Any) -> dict[str, int]:
    return dict(getattr(model, "_token_usage", None) or {})


def _describe(model: Any, messages: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Part:
    wanted = kwargs.get("response_model")
    if wanted is None and len(args) > _RESPONSE_MODEL_AT:
        wanted = args[_RESPONSE_MODEL_AT]
    listed = messages if isinstance(messages, list) else [messages]
    last = listed[-1] if listed else ""
    given: dict[str, object] = {
        "model": str(model.model),
        "messages": len(listed),
        "digest": compute_digest([listed, kwargs.get("tools") or (args[0] if args else None)]),
        "last": shorten_text(last.get("content") if isinstance(last, Mapping) else last),
    }
    if isinstance(wanted, type):
        given["response_model"] = wanted.__qualname__
    return Part(make_step_options(_NAME), given, _dump, functools.partial(_load, model, wanted))


def _dump(answer: Any) -> dict[str, Any]:
    if answer is None or isinstance(answer, str):
        return {"text": answer}
    if isinstance(answer, BaseModel):
        return {"object": answer.model_dump(mode="json")}
    if isinstance(answer, list) and all(isinstance(each, BaseModel) for each in answer):
        return {"tool_calls": [each.model_dump(mode="json") for each in answer]}
    return {"value": make_plain(answer)}


def _load(model: Any, wanted: Any, recorded: Any) -> Any:
    if not isinstance(recorded, Mapping):  # somebody edited it
        return recorded
    if "object" in recorded:
        for class_ in (wanted, getattr(model, "response_format", None)):
            if isinstance(class_, type) and issubclass(class_, BaseModel):
                return class_.model_validate(recorded["object"])
        return json.dumps(recorded["object"])
    for name in ("tool_calls", "value"):
        if name in recorded:
            return recorded[name]
    return recorded.get("text")
