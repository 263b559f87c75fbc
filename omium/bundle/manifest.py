"""The manifest: what a bundle is, what it holds and what it does not, and the digest of every part.

It is the last part to be written and the first to be read. Its digests tell damage, and a change that was
made without care; they are no signature, since whoever changes a part can change the manifest with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from omium.bundle.limits import (
    EXECUTIONS_MAX,
    LIST_BYTES_MAX,
    LIST_ITEMS_MAX,
    MANIFEST_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    PART_BYTES_MAX,
    PARTS_MAX,
)
from omium.models.wire import Count, Digest, Reply, TimestampUs

FORMAT: Final = "omium-bundle"
VERSION: Final = 1
NAME: Final = "manifest.json"
PART_NAME: Final = r"(?:[efw][0-9]{4,5}/)?[a-z]{1,32}(?:/[0-9a-f]{4,32})?\.jsonl?"
FOLDER: Final = r"^[efw][0-9]{4,5}$"

_PART_NAME: Final = re.compile(PART_NAME)
_Name = Annotated[str, StringConstraints(max_length=NAME_CHARACTERS_MAX, pattern=f"^{PART_NAME}$")]
_Folder = Annotated[str, StringConstraints(pattern=FOLDER)]
_Text = Annotated[str, StringConstraints(max_length=2_000)]


class Head(Reply):
    """What any version of the manifest says of itself."""

    format: str
    version: int
    omium: _Text = ""
    """The Omium that made it."""


class Part(Reply):
    """One part: a JSON document, or a piece of a list with one item per line."""

    name: _Name
    items: Annotated[int, Field(ge=0, le=LIST_ITEMS_MAX)]
    size_bytes: Annotated[int, Field(ge=0, le=PART_BYTES_MAX)]
    sha256: Digest


class HeldExecution(Reply):
    """An execution that is held whole."""

    id: _Text
    folder: _Folder
    workflow: _Text
    status: _Text
    last_seq: Count
    settled: bool
    """False: it went on while it was read, so that its parts may be of different moments."""


class HeldFailure(Reply):
    """A failure group, and which of the executions are occurrences of it."""

    id: _Text
    folder: _Folder
    executions: Annotated[list[_Text], Field(max_length=EXECUTIONS_MAX)]


class HeldWorkflow(Reply):
    """A workflow; where it is a stored one, in the version that was run."""

    name: _Text
    version: int | None = None
    folder: _Folder


class LeftOut(Reply):
    """Something that the bundle could hold and does not."""

    execution_id: _Text
    what: _Text
    why: _Text


class Manifest(Head):
    """What a bundle holds."""

    made_at_us: TimestampUs
    execution_id: _Text
    """The one that it was made of; the others belong to it."""
    with_values: bool
    """False: inputs, outputs, states and logs were left out."""
    redacted: Count
    """How many secrets were masked here, beside those that the server had masked or sealed already."""
    executions: Annotated[list[HeldExecution], Field(min_length=1, max_length=EXECUTIONS_MAX)]
    failures: Annotated[list[HeldFailure], Field(max_length=PARTS_MAX)]
    workflows: Annotated[list[HeldWorkflow], Field(max_length=PARTS_MAX)]
    left_out: Annotated[list[LeftOut], Field(max_length=PARTS_MAX)]
    parts: Annotated[list[Part], Field(max_length=PARTS_MAX)]
    content_sha256: Digest
    """Of all parts but this one: the same for two bundles of the same content."""


def is_part_name(name: str) -> bool:
    """Say whether `name` may name a part: one folder at most, no dots but before its ending."""
    return len(name) <= NAME_CHARACTERS_MAX and _PART_NAME.fullmatch(name) is not None


def size_max(name: str) -> int:
    """Return how many bytes a part of this name may have."""
    if name == NAME:
        return MANIFEST_BYTES_MAX
    return LIST_BYTES_MAX if name.endswith(".jsonl") else PART_BYTES_MAX


def content_digest(parts: Iterable[Part]) -> str:
    """Return the digest of everything but the manifest."""
    total = hashlib.sha256()
    for part in sorted(parts, key=lambda part: part.name):
        total.update(f"{part.name} {part.items} {part.sha256}\n".encode())
    return total.hexdigest()
