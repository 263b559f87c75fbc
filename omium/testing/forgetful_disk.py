"""A disk that can forget: SQLite's files, with a journal of every write and sync.

Owns a layer (a "VFS", https://www.sqlite.org/vfs.html) between SQLite and the system's own one, made with
ctypes in the process that calls `install`: each write, truncation and finished sync is noted, and then done
as always. The notes are what power_cut.py needs to take back whatever was not synced. No root, no tracing,
no compiler.

It does not see files that something else but SQLite writes, nor the deletion of a file.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p, cast
from pathlib import Path
from typing import Any, Final

from omium.testing.power_cut import Note, pack_note

_OK: Final = 0
_IO_ERROR: Final = 10
_MAIN_DB: Final = 0x100
_WAL: Final = 0x80000
_PIECE_BYTES: Final = 1 << 20
_NAME: Final = b"omium-forgetful"
_WORD: Final = ctypes.sizeof(c_void_p)

_Transfer = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)
_Size = CFUNCTYPE(c_int, c_void_p, POINTER(c_int64))
# The name is taken and handed on as an address: SQLite keeps it for as long as the file is open.
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))


class _Methods(Structure):
    """`sqlite3_io_methods`: a table of what can be done to an open file."""

    _fields_ = [
        ("version", c_int),
        ("close", c_void_p),
        ("read", _Transfer),
        ("write", _Transfer),
        ("truncate", _Truncate),
        ("sync", _Sync),
        ("file_size", _Size),
        ("rest", c_void_p * 12),  # locks and shared memory, as they are
    ]


class _File(Structure):
    """`sqlite3_file`: begins with its table, whatever the system's layer keeps behind."""

    _fields_ = [("methods", POINTER(_Methods))]


class _Vfs(Structure):
    """`sqlite3_vfs`: how files are opened."""

    _fields_ = [
        ("version", c_int),
        ("file_bytes", c_int),
        ("path_max", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", _Open),
        ("rest", c_void_p * 15),
    ]


# The table grew twice; no older one is read beyond its end.
_METHODS_BYTES: Final = {1: 13 * _WORD, 2: 17 * _WORD, 3: 19 * _WORD}


class Unavailable(Exception):
    """SQLite cannot be reached behind Python's module here."""


class ForgetfulDisk:
    """The layer; lives as long as its process, because SQLite keeps pointers into it.

    With `writes_max` the process kills itself before it does that write: in the middle of something.
    """

    def __init__(self, journal: Path, writes_max: int | None = None) -> None:
        self._left = writes_max
        self._library = load_library()
        self._journal = os.open(
            journal, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self._paths: dict[int, str] = {}
        self._tables: dict[int, _Methods] = {}
        self._original = self._library.sqlite3_vfs_find(None).contents
        self._vfs = _Vfs()
        ctypes.memmove(byref(self._vfs), byref(self._original), ctypes.sizeof(_Vfs))
        self._vfs.next = None
        self._vfs.name = _NAME
        self._vfs.open = _Open(_guarded(self._open))

    def install(self) -> None:
        """Let every SQLite file that this process opens from now on go through this layer."""
        if self._library.sqlite3_vfs_register(byref(self._vfs), 1) != _OK:
            raise Unavailable("SQLite refused another layer.")

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
        result = int(self._original.open(vfs, name, file, flags, out))
        if result == _OK and name is not None and flags & (_MAIN_DB | _WAL):
            opened = cast(file, POINTER(_File)).contents
            self._paths[file] = os.fsdecode(ctypes.string_at(name))
            opened.methods = ctypes.pointer(self._table(opened.methods))
        return result

    def _table(self, methods: Any) -> _Methods:
        """Return a copy of the system's table in which writes, truncations and syncs are ours."""
        address = ctypes.addressof(methods.contents)
        if address not in self._tables:
            ours, theirs = _Methods(), methods.contents
            ctypes.memmove(byref(ours), byref(theirs), _METHODS_BYTES[min(theirs.version, 3)])
            ours.write = _Transfer(_guarded(self._make_write(theirs)))
            ours.truncate = _Truncate(_guarded(self._make_truncate(theirs)))
            ours.sync = _Sync(_guarded(self._make_sync(theirs)))
            self._tables[address] = ours
        return self._tables[address]

    def _make_write(self, theirs: _Methods) -> Callable[..., int]:
        def write(file: int, data: int, length: int, offset: int) -> int:
            # Noted first: a process that dies in between has a note of a write that was not done, which
            # a power cut may as well have left undone.
            self._note(theirs, "write", file, offset, length, ctypes.string_at(data, length))
            return int(theirs.write(file, data, length, offset))

        return write

    def _make_truncate(self, theirs: _Methods) -> Callable[..., int]:
        def truncate(file: int, size: int) -> int:
            length = max(0, _size(theirs, file) - size)
            self._note(theirs, "truncate", file, size, length, b"")
            return int(theirs.truncate(file, size))

        return truncate

    def _make_sync(self, theirs: _Methods) -> Callable[..., int]:
        def sync(file: int, flags: int) -> int:
            result = int(theirs.sync(file, flags))
            if result == _OK:  # noted last: whoever was answered was answered after this
                os.write(self._journal, pack_note(Note("sync", self._paths[file], 0, 0, b"", b"")))
            return result

        return sync

    def _note(self, theirs: _Methods, kind: str, file: int, offset: int, length: int, data: bytes) -> None:
        size = _size(theirs, file)
        before = _read(theirs, file, offset, max(0, min(length, size - offset)))
        noted = pack_note(Note(kind, self._paths[file], offset, size, before, data))
        if os.write(self._journal, noted) != len(noted):
            raise OSError("the journal of writes could not be written")
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def load_library() -> ctypes.CDLL:
    """Return the SQLite that Python's own module uses; raises `Unavailable`."""
    try:
        import _sqlite3  # noqa: PLC0415  # is not there on a Python that was built without it

        library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [c_char_p]
        library.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
        library.sqlite3_initialize()
    except (AttributeError, ImportError, OSError) as error:
        raise Unavailable(f"this Python does not let SQLite be reached ({error})") from error
    if not library.sqlite3_vfs_find(None):
        raise Unavailable("SQLite has no layer of the system's here")
    return library


def _guarded(function: Callable[..., int]) -> Callable[..., int]:
    def guarded(*arguments: Any) -> int:
        try:
            return function(*arguments)
        except BaseException as error:  # a boundary: C calls this, and would take an exception for success
            os.write(2, f"omium: the journal of writes failed: {error!r}\n".encode())
            return _IO_ERROR

    return guarded


def _size(theirs: _Methods, file: int) -> int:
    size = c_int64()
    if theirs.file_size(file, byref(size)) != _OK:
        raise OSError("the size of a file could not be read")
    return size.value


def _read(theirs: _Methods, file: int, offset: int, length: int) -> bytes:
    """Read through SQLite's own handle: closing another one would drop the process's locks."""
    pieces = []
    while length > 0:
        piece = ctypes.create_string_buffer(min(length, _PIECE_BYTES))
        if theirs.read(file, cast(piece, c_void_p), len(piece), offset) != _OK:
            raise OSError("what a file held could not be read")
        pieces.append(piece.raw)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)
