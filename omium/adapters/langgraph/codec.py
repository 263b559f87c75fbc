"""How LangGraph's own values are recorded.

Messages and documents are pydantic models, commands and interrupts are dataclasses: those are recorded as
any of the user's own. Only `Send` has a form of its own.
"""

from __future__ import annotations

from typing import Any

from langgraph.types import Send

from omium.jsonvalue import TypeRegistry

_SEND = "langgraph.send"


def register_codecs(types: TypeRegistry) -> None:
    """Let `types` record sends. Called twice it changes nothing."""
    if types.find_codec_by_tag(_SEND) is None:
        types.register_codec(_SEND, Send, _send_to_json, _send_from_json)


def _send_to_json(send: Send) -> object:
    timeout = getattr(send, "timeout", None)  # younger than the oldest LangGraph that is supported
    return {"node": send.node, "arg": send.arg} | ({"timeout": timeout} if timeout is not None else {})


def _send_from_json(recorded: Any) -> Send:
    more = {"timeout": recorded["timeout"]} if "timeout" in recorded else {}
    return Send(recorded["node"], recorded["arg"], **more)
