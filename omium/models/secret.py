"""Named secrets on the wire: values go in, and never out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from omium.models.wire import Command, Reply
from omium.states import Environment

SECRET_NAME = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"  # noqa: S105  # the form of a name
VALUE_CHARACTERS_MAX = 32_768


class SetSecret(Command):
    """A secret's value, for the environment or the caller's own."""

    value: Annotated[str, StringConstraints(min_length=1, max_length=VALUE_CHARACTERS_MAX), Field(repr=False)]
    environment: Environment | None = None


class Secret(Reply):
    """What may be seen of a secret: everything but its value."""

    name: str
    environment: Environment
    version: int
    created_at_us: int
    updated_at_us: int
    updated_by: str
    last_used_at_us: int | None
