"""Answers: what goes back to the client, encoded once.

Owns the two shapes (a whole answer, a stream) and how a model becomes bytes. Sending them is dispatch.py's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is encoded already: sent as it is, byte for byte."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that goes on: `chunks` yields encoded server-sent events until it ends or is closed."""

    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


def answer_model(reply: BaseModel | None, status: int) -> Answer:
    """Return `reply` encoded; None is an empty answer."""
    return Answer(b"" if reply is None else to_json(reply), status)


def to_json(reply: BaseModel) -> bytes:
    """Return the model's JSON. Straight from the serializer: `model_dump_json` decodes it to text first."""
    return reply.__pydantic_serializer__.to_json(reply)
