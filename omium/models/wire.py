"""The two roots of the wire types.

A `Command` is what a client sends: an unknown field is an error, because a typo must not be ignored. A
`Reply` is what the server sends: unknown fields are kept out silently, so that an older client can talk to a
newer server. `Json` is any value that `omium.jsonvalue.parse_json` gives; it's not walked again here.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Json = object

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Path = Annotated[str, StringConstraints(max_length=1024)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
TimestampUs = Annotated[int, Field(ge=0, lt=2**62)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Amount = Annotated[int, Field(ge=0, lt=2**62)]
Tokens = Annotated[int, Field(ge=0, le=10**8)]


class Command(BaseModel):
    """Something that a client asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Reply(BaseModel):
    """Something that the server answers."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


T = TypeVar("T")


class Page(Reply, Generic[T]):
    """One page of a list; `next` is the cursor of the page after it, or None at the end."""

    items: list[T]
    next: str | None = None
