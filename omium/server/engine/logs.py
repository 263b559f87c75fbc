"""Captured logs of a step: what it wrote to stdout, stderr and logging, bounded and never cut silently.

Owns the bound: a step keeps `LOG_BYTES_MAX` in all its attempts; lines that come later are counted, and the
count is shown as a last line. Does not capture and does not redact (the driver does both before it sends).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from omium.jsonvalue import JsonValue, json_bytes
from omium.models.execution import LogLine
from omium.models.log import StepLogLine
from omium.server.db.tx import Tx
from omium.server.store import logs as store
from omium.server.store.executions import ExecutionRow, get_execution
from omium.server.store.logs import END_CHUNK, MARKER_CHUNK, LogChunk, is_marker, numbered

__all__ = ["END_CHUNK", "LOG_BYTES_MAX", "PackedLines", "list_lines", "pack_lines", "write_logs"]

LOG_BYTES_MAX = 256 * 1024  # of one step
CHUNKS_PER_PAGE = 50
LogKey = tuple[str, int, int]  # path, attempt, chunk
BEGINNING: LogKey = ("", -1, -1)


@dataclass(frozen=True, slots=True)
class PackedLines:
    """Encoded lines, made outside the transaction; inside, only as many as fit are joined."""

    lines: tuple[bytes, ...]


def pack_lines(lines: Sequence[LogLine]) -> PackedLines:
    """Encode `lines`; call it before the transaction."""
    return PackedLines(tuple(json_bytes(_to_json(line)) for line in lines))


def _to_json(line: LogLine) -> JsonValue:
    return [line.at_us, line.stream, line.level, line.text]


def write_logs(tx: Tx, row: ExecutionRow, path: str, attempt: int, chunk: int, packed: PackedLines) -> None:
    """Keep what fits of a chunk, and count the rest.

    `chunk` counts from 0 per attempt; lines that come with the step's end are `END_CHUNK`. A chunk that was
    written before changes nothing, so a repeat is harmless. Chunks of an attempt come in order.
    """
    chunk = numbered(chunk, row.generation)
    if not packed.lines or store.find_chunk(tx, row.id, path, attempt, chunk) is not None:
        return
    room = LOG_BYTES_MAX - store.sum_bytes(tx, row.id, path)
    kept = 0
    for line in packed.lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept += 1
    if kept:
        body = b"[" + b",".join(packed.lines[:kept]) + b"]"
        store.insert_chunk(tx, row.id, LogChunk(path, attempt, chunk, tx.now_us, body))
    if kept < len(packed.lines):
        _count_dropped(tx, row, path, attempt, chunk, len(packed.lines) - kept)


def _count_dropped(tx: Tx, row: ExecutionRow, path: str, attempt: int, chunk: int, lines: int) -> None:
    number = numbered(MARKER_CHUNK, row.generation)
    marker = store.find_chunk(tx, row.id, path, attempt, number)
    counted = json.loads(marker) if marker else {"dropped": 0, "through": -1}
    if chunk <= counted["through"]:  # a repeat of a chunk of which nothing was kept
        return
    body = json_bytes({"dropped": counted["dropped"] + lines, "through": chunk})
    store.put_chunk(tx, row.id, LogChunk(path, attempt, number, tx.now_us, body))


def list_lines(
    tx: Tx, tenant_id: str, execution_id: str, path: str | None, after: LogKey = BEGINNING
) -> tuple[list[StepLogLine], LogKey | None]:
    """Return a page of lines, of one step or of all, and where the next page begins.

    Raises `NotFound` for a foreign execution.
    """
    get_execution(tx, tenant_id, execution_id)
    chunks = store.list_chunks(tx, execution_id, path, after=after, limit=CHUNKS_PER_PAGE + 1)
    page = chunks[:CHUNKS_PER_PAGE]
    lines = [line for chunk in page for line in _unpack(chunk)]
    last = page[-1] if len(chunks) > CHUNKS_PER_PAGE else None
    return lines, (last.path, last.attempt, last.chunk) if last else None


def _unpack(chunk: LogChunk) -> list[StepLogLine]:
    body = json.loads(chunk.lines)
    if is_marker(chunk.chunk):
        dropped = int(body["dropped"])
        text = (
            f"{dropped} more lines were not kept: a step keeps at most {LOG_BYTES_MAX // 1024} KiB of logs."
        )
        return [
            StepLogLine(
                key=chunk.path,
                attempt=chunk.attempt,
                at_us=chunk.at_us,
                stream="omium",
                text=text,
                dropped=dropped,
            )
        ]
    return [
        StepLogLine(key=chunk.path, attempt=chunk.attempt, at_us=at_us, stream=stream, level=level, text=text)
        for at_us, stream, level, text in body
    ]
