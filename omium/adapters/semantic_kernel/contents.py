"""Contents: how Semantic Kernel's messages and results are recorded, without what the provider sent raw.

A message comes back with its items, its model and its usage; `inner_content`, the provider's own object, does
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semantic_kernel.connectors.ai.completion_usage import CompletionUsage
from semantic_kernel.contents import ChatMessageContent
from semantic_kernel.functions import FunctionResult

from omium.adapters.recorded import Form

_MESSAGE = "message"


def dump_message(message: ChatMessageContent) -> dict[str, Any]:
    """Return a message as JSON."""
    metadata = {
        name: value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        for name, value in (message.metadata or {}).items()
    }
    items = [item.model_dump(mode="json", exclude={"inner_content"}) for item in message.items]
    told = message.model_dump(mode="json", exclude={"inner_content", "metadata", "items"})
    return {**told, "items": items, "metadata": metadata}


def load_message(recorded: Mapping[str, Any]) -> ChatMessageContent:
    """Return the message that was recorded."""
    message = ChatMessageContent.model_validate(recorded)
    usage = message.metadata.get("usage")
    if isinstance(usage, dict):
        message.metadata["usage"] = CompletionUsage(**usage)
    return message


MESSAGES: Form[list[ChatMessageContent]] = Form(
    lambda messages: [dump_message(each) for each in messages],
    lambda recorded: [load_message(each) for each in recorded],
)


def dump_result(result: FunctionResult | None) -> object:
    """Return what a function gave: its value, and the prompt that it rendered."""
    if result is None:
        return None
    value = result.value
    if isinstance(value, ChatMessageContent):
        value = {_MESSAGE: dump_message(value)}
    elif isinstance(value, list) and value and all(isinstance(each, ChatMessageContent) for each in value):
        value = {_MESSAGE: [dump_message(each) for each in value]}
    else:
        value = {"value": value}
    return {**value, "rendered_prompt": result.rendered_prompt}


def load_result(recorded: Mapping[str, Any] | None, metadata: Any) -> FunctionResult | None:
    """Return the result that was recorded of the function with this `metadata`."""
    if recorded is None:
        return None
    value = recorded.get("value")
    if (told := recorded.get(_MESSAGE)) is not None:
        value = [load_message(each) for each in told] if isinstance(told, list) else load_message(told)
    return FunctionResult(function=metadata, value=value, rendered_prompt=recorded["rendered_prompt"])
