"""Content: what went into a span and what came out, as JSON for people, cut where it is long.

Instrumentation sends text, text that holds JSON, or one attribute for each part of a message; official
packages leave content out unless they are told otherwise. Nobody resumes from it, so a cut is no loss of a
record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from omium.jsonvalue import JsonValue, json_bytes
from omium.server.traces.wire import CUT, Attributes

VALUE_BYTES_MAX: Final = 32 * 2**10
PARSED_BYTES_MAX: Final = 256 * 2**10
TEXT_MAX: Final = 8 * 2**10
DEPTH_MAX: Final = 24

INPUT: Final = (
    "gen_ai.input.messages",
    "gen_ai.tool.call.arguments",
    "input.value",
    "gen_ai.prompt",
    "traceloop.entity.input",
    "crewai.task.description",
)
OUTPUT: Final = (
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
    "output.value",
    "gen_ai.completion",
    "traceloop.entity.output",
    "crewai.task.output",
    "final_result",
)
CONVERSATION: Final = "pydantic_ai.all_messages"
_INDEXED: Final = re.compile(
    r"(gen_ai\.prompt|gen_ai\.completion|llm\.input_messages|llm\.output_messages)\.(\d{1,4})\.(?:message\.)?(.+)"
)
_SIDE: Final = {
    "gen_ai.prompt": "input",
    "llm.input_messages": "input",
    "gen_ai.completion": "output",
    "llm.output_messages": "output",
}
MESSAGES_MAX: Final = 200
SMALL: Final = 4 * 2**10
"""Text of so many characters makes no JSON that is too long, however it is escaped."""
_DECODER: Final = json.JSONDecoder(parse_constant=str)


Conceal = Callable[[JsonValue], JsonValue]
"""Gives a value back without the secrets in it: half of one, at the end of what is cut, nobody would know."""


def read_content(attributes: Attributes, conceal: Conceal) -> tuple[JsonValue, JsonValue]:
    """Return what went in and what came out, None where nothing is said of it."""
    given, made = _first(attributes, INPUT, conceal), _first(attributes, OUTPUT, conceal)
    if given is None or made is None:
        messages = _messages(attributes)
        given = shorten(messages.get("input"), conceal) if given is None else given
        made = shorten(messages.get("output"), conceal) if made is None else made
    if given is None and CONVERSATION in attributes:
        given = shorten(_find_asked(attributes[CONVERSATION]), conceal)
    return given, made


def _find_asked(conversation: JsonValue) -> JsonValue:
    """Return what an agent of Pydantic AI was asked: what was said until a person, no tool, spoke last."""
    messages = unpack(conversation)
    if not isinstance(messages, list):
        return None
    asked = [number for number, message in enumerate(messages, 1) if _is_said_by_user(message)]
    return messages[: asked[-1]] if asked else None


def _is_said_by_user(message: JsonValue) -> bool:
    if not isinstance(message, dict) or message.get("role") != "user":
        return False
    parts = message.get("parts")
    return isinstance(parts, list) and any(
        isinstance(part, dict) and part.get("type") == "text" for part in parts
    )


def _first(attributes: Attributes, names: tuple[str, ...], conceal: Conceal) -> JsonValue:
    for name in names:
        value = attributes.get(name)
        if value not in (None, ""):
            found = unpack(value)
            is_small = isinstance(value, str) and len(value) <= SMALL
            return _clean(found, SMALL, 0) if is_small else shorten(found, conceal)
    return None


def unpack(value: JsonValue) -> JsonValue:
    """Return the JSON that a text holds, else the value itself."""
    if isinstance(value, str) and value[:1] in ("{", "[") and len(value) <= PARSED_BYTES_MAX:
        try:
            found: JsonValue = _DECODER.decode(value)
        except (ValueError, RecursionError):
            return value
        return found
    return value


def _messages(attributes: Attributes) -> dict[str, JsonValue]:
    """Return messages that were sent as one attribute for each of their parts."""
    found: dict[str, dict[int, dict[str, JsonValue]]] = {}
    for name, value in attributes.items():
        if match := _INDEXED.fullmatch(name):
            found.setdefault(_SIDE[match[1]], {}).setdefault(int(match[2]), {})[match[3]] = value
    listed: dict[str, JsonValue] = {}
    for side, parts in found.items():
        messages: list[JsonValue] = [parts[number] for number in sorted(parts)]
        more = len(messages) - MESSAGES_MAX
        listed[side] = [*messages[:MESSAGES_MAX], f"{CUT} {more} more"] if more > 0 else messages
    return listed


def shorten(value: JsonValue, conceal: Conceal) -> JsonValue:
    """Return `value` as it can be stored: without what JSON here refuses, and not longer than allowed."""
    if value is None:
        return None
    cleaned = _clean(value, VALUE_BYTES_MAX, 0)
    body = json_bytes(cleaned)
    if len(body) <= VALUE_BYTES_MAX:
        return cleaned
    cleaned = _clean(conceal(cleaned), TEXT_MAX, 0)
    body = json_bytes(cleaned)
    if len(body) <= VALUE_BYTES_MAX:
        return cleaned
    return body[: VALUE_BYTES_MAX // 2].decode(errors="ignore") + CUT


def _clean(value: JsonValue, text_max: int, depth: int) -> JsonValue:
    if isinstance(value, str):
        return clean_text(value, text_max)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124  # NaN
    if depth >= DEPTH_MAX:
        return CUT
    if isinstance(value, list):
        return [_clean(each, text_max, depth + 1) for each in value]
    return {clean_text(name, 200): _clean(each, text_max, depth + 1) for name, each in value.items()}


def clean_text(text: str, most: int) -> str:
    """Return `text` without NUL and halves of characters, cut after `most` characters."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if len(text) > most:
        text = text[:most] + CUT
    return text if text.isascii() else text.encode(errors="ignore").decode()
