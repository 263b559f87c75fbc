"""Services: an answer of a chat model as a step, with its tokens.

Owns the copy of a chat completion service that asks only where nothing is recorded. The service's own loop
around it, which calls functions and asks again, is Semantic Kernel's and runs as it is.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase

from omium.adapters.circling import CIRCLING, refuse_circles
from omium.adapters.recorded import record_async, shorten_messages
from omium.adapters.semantic_kernel.contents import MESSAGES
from omium.sdk.calling import find_active_frame
from omium.sdk.current import record_usage
from omium.sdk.options import StepOptions

_CONNECTORS = "semantic_kernel.connectors.ai."
_UNTOLD = {"messages", "extra_headers", "extension_data", "service_id", "structured_json_response"}
_ASK, _STREAM = "_inner_get_chat_message_contents", "_inner_get_streaming_chat_message_contents"


def record_service(
    service: ChatCompletionClientBase, options: StepOptions, circling: int | None = CIRCLING
) -> ChatCompletionClientBase:
    """Return a copy of `service` each of whose answers is a step; the service itself is not changed."""
    made = copy.copy(service)
    ask, stream = getattr(service, _ASK), getattr(service, _STREAM)

    async def ask_once(chat_history: Any, settings: Any) -> list[Any]:
        async def work() -> list[Any]:
            if find_active_frame() is not None:
                refuse_circles(_list_calls(chat_history), circling)
            # A copy: connectors write into the settings, which a turn from a record would not do.
            answers: list[Any] = await ask(chat_history, settings.model_copy())
            _record_usage(service, answers)
            return answers

        return await record_async(options, _describe(chat_history, settings), work, MESSAGES)

    async def stream_once(chat_history: Any, settings: Any, attempt: int = 0) -> AsyncIterator[list[Any]]:
        if find_active_frame() is None:
            async for messages in stream(chat_history, settings, attempt):
                yield messages
            return
        # A stream is asked for as a whole: what is recorded must be what the conversation goes on with.
        for each in await ask_once(chat_history, settings):
            yield [_as_streamed(each, attempt)]

    object.__setattr__(made, _ASK, ask_once)  # of our own copy: pydantic has no such field
    object.__setattr__(made, _STREAM, stream_once)
    return made


def _as_streamed(message: Any, attempt: int) -> Any:
    from semantic_kernel.contents import StreamingChatMessageContent, StreamingTextContent  # noqa: PLC0415

    items = [
        StreamingTextContent(choice_index=0, text=item.text, ai_model_id=message.ai_model_id)
        if type(item).__name__ == "TextContent"
        else item
        for item in message.items
    ]
    return StreamingChatMessageContent(
        role=message.role,
        choice_index=0,
        items=items,
        ai_model_id=message.ai_model_id,
        metadata=message.metadata,
        finish_reason=message.finish_reason,
        function_invoke_attempt=attempt,
    )


def _list_calls(chat_history: Any) -> list[tuple[str, object]]:
    """Return the calls of functions since the user spoke last: those of this run."""
    calls: list[tuple[str, object]] = []
    for message in chat_history.messages:
        if message.role == "user":
            calls.clear()
        calls += [
            (str(item.name), item.arguments)
            for item in message.items
            if type(item).__name__ == "FunctionCallContent"
        ]
    return calls


def _describe(chat_history: Any, settings: Any) -> dict[str, object]:
    """Return what tells one question from another, and is shown as the step's input."""
    told = settings.model_dump(mode="json", exclude=_UNTOLD | {"function_choice_behavior", "tools"})
    tools = getattr(settings, "tools", None) or []
    return {
        "messages": shorten_messages([message.to_dict() for message in chat_history.messages]),
        "settings": {name: value for name, value in told.items() if value is not None},
        "tools": [tool.get("function", {}).get("name") for tool in tools if isinstance(tool, dict)],
    }


def _record_usage(service: Any, answers: list[Any]) -> None:
    """Tell what the model reported; choices of one answer carry the same usage, which counts once."""
    usage = answers[0].metadata.get("usage") if answers and answers[0].metadata else None
    if usage is None:
        return
    module = type(service).__module__
    provider = module.removeprefix(_CONNECTORS).partition(".")[0] if module.startswith(_CONNECTORS) else None
    record_usage(
        provider="openai" if provider == "open_ai" else provider,
        model=answers[0].ai_model_id or service.ai_model_id,
        input_tokens=int(usage.prompt_tokens or 0),
        output_tokens=int(usage.completion_tokens or 0),
        cached_tokens=int(getattr(usage.prompt_tokens_details, "cached_tokens", 0) or 0),
        reasoning_tokens=int(getattr(usage.completion_tokens_details, "reasoning_tokens", 0) or 0),
    )
