"""How LangChain's and LangGraph's own values are recorded: messages and sends.

Owns the codecs that jsonvalue needs for classes that it does not know how to take apart. Commands and other
dataclasses of LangGraph, and documents, need none.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langgraph.types import Send

from omium.jsonvalue import TypeRegistry

_OWN_MESSAGES = "langchain_core.messages"


def register_codecs(types: TypeRegistry) -> None:
    """Let `types` record messages and sends. Called twice it changes nothing."""
    if types.find_codec_by_tag("langchain.message") is None:
        types.register_codec(
            "langchain.message", BaseMessage, _message_to_json, _message_from_json, subclasses=True
        )
        types.register_codec("langgraph.send", Send, _send_to_json, _send_from_json)


def _message_to_json(message: BaseMessage) -> object:
    if not type(message).__module__.startswith(_OWN_MESSAGES):
        # A user's own subclass would come back as the class it derives from, which is not what was returned.
        raise TypeError(
            f"{type(message).__module__}.{type(message).__qualname__} is a message class of its own; "
            "return one of LangChain's, or register a codec for it."
        )
    return message_to_dict(message)


def _message_from_json(recorded: Any) -> BaseMessage:
    return messages_from_dict([recorded])[0]


def _send_to_json(send: Send) -> object:
    timeout = getattr(send, "timeout", None)  # younger than the oldest LangGraph that is supported
    return {"node": send.node, "arg": send.arg} | ({"timeout": timeout} if timeout is not None else {})


def _send_from_json(recorded: Any) -> Send:
    return Send(recorded["node"], recorded["arg"], **{k: v for k, v in recorded.items() if k == "timeout"})
