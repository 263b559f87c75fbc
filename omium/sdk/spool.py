"""Spool files: driver writes made durable on this machine while the server is away (semantics 3.7).

Owns one file's form. A file belongs to one execution of one process start, which holds its lock while it
lives; when the lock can be had, that process is gone and whoever holds it may send what is left.

    magic, salt                                40 bytes, then frames
    {length, crc32, seq} + sealed body         seq 0 says whose records these are

A frame counts when it is whole: a torn last one was never promised to anybody. What the server acknowledged
is noted by number in a small file beside it; losing that note means sending again, and every entry has a
natural key. Which files there are and how large they may be is spooling.py, sending is draining.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from omium.sdk.sealing import SALT_BYTES, Seal

MAGIC: Final = b"OMSPOOL1"
FRAME: Final = struct.Struct("<IIQ")  # length of the sealed body, crc32 of seq and body, seq
HEADER_BYTES: Final = len(MAGIC) + SALT_BYTES
BODY_BYTES_MAX: Final = 32 * 1024 * 1024  # longer than any record: a longer length is damage, not a frame


class SpoolFile:
    """An open spool file under its lock. Safe to use from several threads."""

    def __init__(self, path: Path, descriptor: int, key: bytes, salt: bytes) -> None:
        self.path = path
        self._descriptor = descriptor
        self._seal = Seal(key, salt)
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._end = os.fstat(descriptor).st_size
        self._synced = self._end
        self._whole_end = self._end
        self._ours = False  # made by this process, which goes on appending
        self._base = HEADER_BYTES  # where what still has to be sent begins to be looked for
        self.next_seq = 0
        self.acked_seq = -1

    @classmethod
    def create(cls, path: Path, key: bytes, owner: bytes) -> Self:
        """Create the file with `owner` as its first frame, durable when this returns."""
        salt = secrets.token_bytes(SALT_BYTES)
        descriptor = _open_locked(path)
        try:
            os.write(descriptor, MAGIC + salt)
            made = cls(path, descriptor, key, salt)
            made.append(owner)
        except BaseException:
            os.close(descriptor)
            path.unlink()
            raise
        made._base = made._end
        made._ours = True
        made.acked_seq = 0
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name is durable too
        finally:
            os.close(folder)
        return made

    @classmethod
    def take_over(cls, path: Path, key: bytes) -> Self | None:
        """Open a file whose process is gone, None if it lives or somebody else was faster.

        Nothing is appended to it any more, so a torn end stays where it is.
        """
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            removed = os.fstat(descriptor).st_nlink == 0  # sent and removed by who had the lock before
            head = os.pread(descriptor, HEADER_BYTES, 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if removed:
            os.close(descriptor)
            return None
        taken = cls(path, descriptor, key, head[len(MAGIC) :] if head.startswith(MAGIC) else b"")
        taken._look_through()
        return taken

    def adopt(self) -> None:
        """Go on with a file that was taken over, as if this process had made it; a torn end goes away."""
        with self._lock:
            self._truncate(self._whole_end)
            flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
            self._ours = True

    @property
    def size_bytes(self) -> int:
        """How long the file is."""
        return self._end

    @property
    def damaged(self) -> bool:
        """Say whether something else than a torn last frame follows the whole ones, in a file taken over."""
        rest = os.pread(self._descriptor, self._end, self._whole_end)
        written = len(rest.rstrip(b"\x00"))  # a power cut can leave zeros where data would have been
        if written < FRAME.size:
            return False
        length, _, seq = FRAME.unpack_from(rest)
        return bool(seq != self.next_seq or written >= FRAME.size + length)

    def is_drained(self) -> bool:
        """Say whether the server has acknowledged all of it."""
        return self.acked_seq >= self.next_seq - 1

    def append(self, body: bytes) -> int:
        """Append a frame and return its number; it is on the disk when this returns.

        On OSError (the disk is full or broken) nothing was appended. Callers at once share one sync.
        """
        with self._lock:
            seq = self.next_seq
            sealed = self._seal.seal(body, seq)
            frame = FRAME.pack(len(sealed), _crc(seq, sealed), seq) + sealed
            self._write(frame)
            self.next_seq = seq + 1
            end = self._end
        with self._sync_lock:
            if self._synced < end:
                reached = self._end
                os.fdatasync(self._descriptor)
                self._synced = reached
        return seq

    def unsent(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number, body) of each frame that is not acknowledged, in order.

        Raises ValueError at a frame that is whole and yet cannot be opened: the key is another one.
        """
        for seq, _, sealed in self._frames(self._base):
            if seq > self.acked_seq:
                yield seq, self._seal.open(sealed, seq)

    def first(self) -> bytes | None:
        """Return the body of the first frame, which says whose records these are."""
        for seq, _, sealed in self._frames(HEADER_BYTES):
            return self._seal.open(sealed, seq)
        return None

    def acknowledge(self, seq: int) -> None:
        """Note that everything up to `seq` was acknowledged; a file that is all sent becomes small again."""
        with self._lock:
            self.acked_seq = max(self.acked_seq, seq)
            _note_path(self.path).write_text(f"{self.acked_seq:020d}\n")
            if self._ours and self.is_drained() and self._end > self._base:
                self._truncate(self._base)

    def close(self) -> None:
        """Let go of the file; what is unsent is for the next process."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Remove the file, while its lock is held, and let go of it."""
        self.path.unlink(missing_ok=True)
        _note_path(self.path).unlink(missing_ok=True)
        self.close()

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                self._truncate(self._end)
            raise
        self._end += len(data)

    def _truncate(self, end: int) -> None:
        os.ftruncate(self._descriptor, end)
        self._end = end
        self._synced = min(self._synced, end)

    def _look_through(self) -> None:
        """Find the last whole frame and what was acknowledged."""
        self._whole_end = HEADER_BYTES
        for seq, after, _ in self._frames(HEADER_BYTES):
            if seq == 0:
                self._base = after
            self.next_seq, self._whole_end = seq + 1, after
        self.acked_seq = max(_read_note(self.path), 0 if self.next_seq else -1)

    def _frames(self, start: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield (number, end, sealed body) of whole frames, up to the first that is not."""
        at, before = start, -1
        while True:
            head = os.pread(self._descriptor, FRAME.size, at)
            if len(head) < FRAME.size:
                return
            length, crc, seq = FRAME.unpack(head)
            if length > BODY_BYTES_MAX or seq <= before:
                return
            sealed = os.pread(self._descriptor, length, at + FRAME.size)
            if len(sealed) < length or _crc(seq, sealed) != crc:
                return
            at, before = at + FRAME.size + length, seq
            yield seq, at, sealed


def _open_locked(path: Path) -> int:
    """Create `path` and lock it; raises FileExistsError.

    Between the two another process may take the empty file for a dead one's, and remove it: then once more.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # who looks at it holds it for a moment
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        os.close(descriptor)


def _crc(seq: int, sealed: bytes) -> int:
    return zlib.crc32(sealed, zlib.crc32(seq.to_bytes(8, "little")))


def _note_path(path: Path) -> Path:
    return path.with_suffix(".sent")


def _read_note(path: Path) -> int:
    try:
        return int(_note_path(path).read_text())
    except (OSError, ValueError):
        return -1
