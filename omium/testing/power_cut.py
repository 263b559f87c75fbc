"""A power cut, worked out: files go back to what was synced, and of what was not, a chance decides.

Owns the journal's form (a note for each write, truncation and sync, with what was there before) and
`cut_power`, which is called when the process that wrote is dead. As on a real disk, each unsynced write
arrived whole, in part (in sectors of 512 bytes), or not at all, in any order. forgetful_disk.py writes the
notes.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

SECTOR_BYTES: Final = 512
_HEAD: Final = struct.Struct("<4sBHqqII")
_MARK: Final = b"OMnt"
_KINDS: Final = ("write", "truncate", "sync")


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was done to a file."""

    kind: str
    path: str
    offset: int
    """Of a write; for a truncation the new size."""
    size_bytes: int
    """Of the file, before."""
    before: bytes
    """What stood there; shorter than `data` where the file grew."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """What a power cut did."""

    unsynced: int
    """Writes that no sync had made durable."""
    lost: int
    """Those of them that were lost, wholly or in part."""


def pack_note(note: Note) -> bytes:
    """Return a note as bytes, to be appended to a journal with one write."""
    path = os.fsencode(note.path)
    head = _HEAD.pack(
        _MARK,
        _KINDS.index(note.kind),
        len(path),
        note.offset,
        note.size_bytes,
        len(note.before),
        len(note.data),
    )
    return b"".join((head, path, note.before, note.data))


def read_notes(journal: Path) -> Iterator[Note]:
    """Yield the notes of a journal; a last one that was cut off is left out: what it told of was not done."""
    with journal.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            mark, kind, path_length, offset, size, before_length, data_length = _HEAD.unpack(head)
            assert mark == _MARK, "the journal of writes is damaged"
            rest = file.read(path_length + before_length + data_length)
            if len(rest) < path_length + before_length + data_length:
                return
            path = os.fsdecode(rest[:path_length])
            before = rest[path_length : path_length + before_length]
            yield Note(_KINDS[kind], path, offset, size, before, rest[path_length + before_length :])


def cut_power(journal: Path, chance: random.Random) -> Cut:
    """Leave in the files of `journal` what a power cut would have left, now that their process is dead.

    In one cut of four nothing unsynced survives; else each write is kept, torn or lost by `chance`. Called
    again after dying in the middle, it begins from the same notes and may come to another end that is as
    possible.
    """
    unsynced: dict[str, list[Note]] = {}
    for note in read_notes(journal):
        if note.kind == "sync":
            unsynced.pop(note.path, None)
        else:
            unsynced.setdefault(note.path, []).append(note)
    nothing_survives = chance.random() < 0.25
    lost = 0
    for path, notes in unsynced.items():
        with Path(path).open("r+b") as file:
            for note in reversed(notes):
                file.seek(note.offset)
                file.write(note.before)
                file.truncate(note.size_bytes)
            for note in notes:
                fate = "lost" if nothing_survives else chance.choice(("lost", "torn", "whole"))
                _arrive(file, note, fate, chance)
                lost += fate != "whole"
        Path(f"{path}-shm").unlink(missing_ok=True)  # an index in memory: never part of what is durable
    return Cut(sum(map(len, unsynced.values())), lost)


def _arrive(file: BinaryIO, note: Note, fate: str, chance: random.Random) -> None:
    if fate == "lost":
        return
    if note.kind == "truncate":  # done or not: there is no half of it
        file.truncate(note.offset)
        return
    at = 0
    while at < len(note.data):
        length = min(SECTOR_BYTES - (note.offset + at) % SECTOR_BYTES, len(note.data) - at)
        if fate == "whole" or chance.random() < 0.5:
            file.seek(note.offset + at)
            file.write(note.data[at : at + length])
        at += length
