"""Making a bundle: one call, one file, whole or not there.

What is read is collecting.py's, the file writing.py's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omium.bundle.collecting import Collector, Progress
from omium.bundle.container import Container
from omium.bundle.manifest import Manifest
from omium.bundle.writing import check_target, draft
from omium.clock import Clock, SystemClock
from omium.jsonvalue import json_bytes
from omium.sdk.async_client import AsyncClient


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """A bundle that was made: where it is, how large, and its digest to compare elsewhere."""

    path: Path
    size_bytes: int
    sha256: str
    manifest: Manifest


def name_bundle(execution_id: str) -> str:
    """Return the name of a file for an execution's bundle; an id of people's own making may be anything."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", execution_id)[:100] + ".omium"


async def write_bundle(
    client: AsyncClient,
    execution_id: str,
    path: Path,
    progress: Callable[[Progress], None] | None = None,
    *,
    with_children: bool = False,
    with_values: bool = True,
    overwrite: bool = False,
    clock: Clock | None = None,
) -> WrittenBundle:
    """Write the bundle of an execution to `path` (mode 0600) and return what was written.

    With `with_children` the executions below it are held whole, too. Without `with_values` inputs, outputs,
    states and logs are left out. `progress` is called in the caller's loop. Nothing stands at `path` before
    all of it does: cancelled, or with an error, there is what was there before. Raises `BundleError`, and
    what `client` raises: `NotFound` for an unknown execution, `ConnectionLost`.
    """
    check_target(path, overwrite=overwrite)
    with draft(path, overwrite=overwrite) as writer:
        collector = Collector(
            client, writer, with_children=with_children, with_values=with_values, progress=progress
        )
        manifest = await collector.collect(execution_id, (clock or SystemClock()).now_us())
        writer.finish(json_bytes(manifest.model_dump(mode="json")))
    return await asyncio.to_thread(_look_at, path)


def _look_at(path: Path) -> WrittenBundle:
    """Open what was written as anybody would, so that no bundle is handed on that cannot be opened."""
    with Container(path) as made:
        return WrittenBundle(path, made.size_bytes, made.file_sha256(), made.manifest)
