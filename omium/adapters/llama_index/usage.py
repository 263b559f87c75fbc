"""Tokens as usage: what LlamaIndex's models report while a step runs, where `llama-index-core` is installed.

Owns which of LlamaIndex's events end a question to a model, and what of the provider's own answer is its
usage. The class of an event is known by its name: `llama-index-core` is never imported here, and workflows
without it have no such events. LlamaIndex keeps what a handler of events raises to itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.event_handlers import BaseEventHandler

from omium.sdk.current import record_usage

_STARTS: Final = ("LLMChatStartEvent", "LLMCompletionStartEvent")
_ENDS: Final = ("LLMChatEndEvent", "LLMCompletionEndEvent")
_INPUT: Final = ("prompt_tokens", "input_tokens", "prompt_token_count", "inputTokens")
_OUTPUT: Final = ("completion_tokens", "output_tokens", "candidates_token_count", "outputTokens")
_DETAILS: Final = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
)
_BESIDE: Final = (
    ("cache_read_input_tokens", "cacheReadInputTokens"),
    ("cache_creation_input_tokens", "cacheWriteInputTokens"),
)
"""As Anthropic and Bedrock tell them: beside the tokens of the input, a part of which they are for Omium."""
_NO_PROVIDER: Final = ("", "custom", "base", "base_component", "mock")


class _Meter:
    """What was counted of one run of a step."""

    def __init__(self) -> None:
        self._asked: dict[str, Mapping[str, Any]] = {}
        self._counted: list[Any] = []

    def begin(self, event: Any) -> None:
        """Note who is asked."""
        self._asked[str(event.span_id)] = event.model_dict

    def end(self, event: Any) -> None:
        """Count an answer; a model that asks itself in another way tells the same answer twice."""
        raw = getattr(event.response, "raw", None)
        if raw is None or any(each is raw for each in self._counted):
            return
        usage = _read(raw, "usage") or _read(raw, "usage_metadata")
        if usage is None:
            return
        self._counted.append(raw)
        asked = self._asked.get(str(event.span_id), {})
        model = _read(raw, "model") or asked.get("model") or asked.get("model_name")
        record_usage(
            provider=_find_provider(asked), model=str(model) if model else None, **read_tokens(usage)
        )


_METER: Final[ContextVar[_Meter | None]] = ContextVar("omium_llama_index_meter", default=None)


class UsageHandler(BaseEventHandler):  # type: ignore[misc]  # the framework is not installed where types are checked
    """Hears all events of LlamaIndex, and counts those of recorded steps."""

    @classmethod
    def class_name(cls) -> str:
        """As LlamaIndex names its handlers."""
        return "OmiumUsageHandler"

    def handle(self, event: Any, **_options: Any) -> None:
        """Count the answer that this event ends, if one does."""
        meter = _METER.get()
        if meter is None:
            return
        name = event.class_name()
        if name in _STARTS:
            meter.begin(event)
        elif name in _ENDS:
            meter.end(event)


@contextmanager
def metered() -> Iterator[None]:
    """Count what is asked inside, where a step is recorded."""
    dispatcher = get_dispatcher()
    if not any(isinstance(each, UsageHandler) for each in dispatcher.event_handlers):
        dispatcher.add_event_handler(UsageHandler())  # it stays: events are heard by the whole process
    token = _METER.set(_Meter())
    try:
        yield
    finally:
        _METER.reset(token)


def read_tokens(usage: Any) -> dict[str, int]:
    """Return the tokens of a provider's own usage by the names of `record_usage`; 0 where it tells none."""
    details = [_number(_read(usage, outer), inner) for outer, inner in _DETAILS]
    read, written = (next(filter(None, (_number(usage, name) for name in names)), 0) for names in _BESIDE)
    thought = _number(usage, "thoughts_token_count")  # Gemini tells them beside what it wrote
    return {
        "input_tokens": next(filter(None, (_number(usage, name) for name in _INPUT)), 0) + read + written,
        "output_tokens": next(filter(None, (_number(usage, name) for name in _OUTPUT)), 0) + thought,
        "cached_tokens": max(*details[:2], read, _number(usage, "cached_content_token_count")),
        "cache_write_tokens": written,
        "reasoning_tokens": max(*details[2:], thought),
    }


def _find_provider(asked: Mapping[str, Any]) -> str | None:
    """Return who is asked, after whom LlamaIndex names the model's class: `openai_llm`, `Anthropic_LLM`."""
    name = str(asked.get("class_name") or "").lower()
    provider = name.removesuffix("llm").removesuffix("_")
    return None if provider in _NO_PROVIDER else provider[:100]


def _read(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _number(value: Any, name: str) -> int:
    found = _read(value, name)
    return int(found) if isinstance(found, int | float) else 0
