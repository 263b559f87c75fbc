"""Reading the file: is it a bundle at all, and its parts one by one, each checked before it is used.

Owns what a stranger's file could do: nothing of it is written anywhere, no name of it is used as a path, and
what would take more than the bounds is refused before it is unpacked. A bundle has the one form in which
writing.py writes it: entries back to back from the first byte on, no comments, no further fields, no 64-bit
form. So no byte of it is unaccounted for, none belongs to two entries, and a file that is a bundle to one
program is not something else to another.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import threading
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, Self

from pydantic import ValidationError

from omium.bundle import limits, manifest
from omium.bundle.manifest import Head, Manifest, Part, content_digest
from omium.errors import BundleDamaged, BundleError, BundleTooNew

_END: Final = struct.Struct("<4s4H2LH")  # end of central directory, without a comment
_END_MARK: Final = b"PK\x05\x06"
_WIDE_MARK: Final = b"PK\x06\x07"  # locator of the 64-bit form
_WIDE_BYTES: Final = 20
_LOCAL_BYTES: Final = 30  # of an entry's own header, before its name
_DIRECTORY_BYTES_MAX: Final = limits.PARTS_MAX * (46 + limits.NAME_CHARACTERS_MAX)
_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError,
    struct.error, KeyError, IndexError, AttributeError, UnicodeError, OverflowError,
)  # fmt: skip
"""What the standard library raises at a file that is not what it says."""


class Container:
    """An open file and its manifest. Close it, or use it as a context manager. May be used by threads."""

    def __init__(self, path: Path) -> None:
        """Open and check the bundle at `path`. Raises `BundleDamaged`, `BundleTooNew`, `BundleError`."""
        self.path = path
        self._lock = threading.Lock()
        self._file, self.size_bytes = _open(path)
        try:
            self._entries = self._read_directory()
            self.manifest = self._read_manifest()
            self._parts = self._match_parts()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def names(self) -> list[str]:
        """The names of all parts."""
        return list(self._parts)

    def has(self, name: str) -> bool:
        """Say whether there is a part `name`."""
        return name in self._parts

    def count(self, name: str) -> int:
        """Return how many items a part has by the manifest."""
        return self._parts[name].items

    def read(self, name: str) -> bytes:
        """Return a part, checked against its digest. Raises `BundleDamaged`."""
        part = self._parts[name]
        data = self._unpack(self._entries[name])
        if hashlib.sha256(data).hexdigest() != part.sha256:
            self._refuse(f"{name} was altered")
        if name.endswith(".jsonl") and data.count(b"\n") != part.items:
            self._refuse(f"{name} has another number of lines than it says")
        return data

    def file_sha256(self) -> str:
        """Return the digest of the whole file: what can be compared with whoever sent it."""
        with self._lock:
            self._file.seek(0)
            total = hashlib.sha256()
            while piece := self._file.read(limits.MIB):
                total.update(piece)
            return total.hexdigest()

    def _read_directory(self) -> dict[str, zipfile.ZipInfo]:
        """Return the entries. The end is looked at first: it says how much there will be to read."""
        if self.size_bytes < _END.size:
            self._refuse("it is cut off, or no bundle at all")
        self._file.seek(max(0, self.size_bytes - _END.size - _WIDE_BYTES))
        tail = self._file.read(_WIDE_BYTES + _END.size)
        mark, disk, first_disk, here, entries, size, start, comment = _END.unpack(tail[-_END.size :])
        if mark != _END_MARK:
            self._refuse("it is cut off, or no bundle at all")
        if tail.startswith(_WIDE_MARK) or 0xFFFF in (entries, here) or 0xFFFFFFFF in (size, start):
            self._refuse("it is a larger kind of zip than a bundle ever is")
        if disk or first_disk or here != entries or comment or start + size + _END.size != self.size_bytes:
            self._refuse("something stands in it that belongs to no part")
        if entries > limits.PARTS_MAX or size > _DIRECTORY_BYTES_MAX:
            self._refuse("it has more parts than a bundle ever has")
        try:
            self._zip = zipfile.ZipFile(self._file)
            found = self._zip.infolist()
        except _BROKEN as error:
            self._refuse("its table of contents cannot be read", error)
        if len(found) != entries or len({entry.filename for entry in found}) != entries:
            self._refuse("its table of contents names a part twice, or leaves one out")
        self._check_places(found, start)
        return {entry.filename: entry for entry in found}

    def _check_places(self, entries: list[zipfile.ZipInfo], end: int) -> None:
        at = total_bytes = 0
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if entry.orig_filename != entry.filename or not manifest.is_part_name(entry.filename):
                self._refuse(f"{entry.orig_filename[:80]!r} is not the name of a part")
            if (
                entry.flag_bits
                or entry.extra
                or entry.comment
                or entry.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)
                or entry.header_offset != at
            ):
                self._refuse(f"{entry.filename} is not stored as a bundle stores its parts")
            at += _LOCAL_BYTES + len(entry.filename) + entry.compress_size
            total_bytes += entry.file_size
            if (
                entry.file_size > manifest.size_max(entry.filename)
                or entry.file_size > limits.RATIO_MAX * max(entry.compress_size, 1)
                or total_bytes > limits.UNPACKED_BYTES_MAX + limits.MANIFEST_BYTES_MAX
            ):
                self._refuse(f"{entry.filename} would unpack to more than a bundle ever holds")
        if at != end:
            self._refuse("something stands in it that belongs to no part")

    def _read_manifest(self) -> Manifest:
        entry = self._entries.get(manifest.NAME)
        if entry is None:
            self._refuse("it has no manifest")
        data = self._unpack(entry)
        try:
            head = Head.model_validate_json(data)
        except (ValidationError, RecursionError) as error:
            self._refuse("its manifest cannot be read", error)
        if head.format != manifest.FORMAT or head.version < 1:
            self._refuse("its manifest is not one of a bundle")
        if head.version > manifest.VERSION:
            raise BundleTooNew(
                f"{self.path.name} was made by a newer Omium ({head.omium!r}, form {head.version}); this one"
                f" reads form {manifest.VERSION}. Upgrade: pip install --upgrade omium-os"
            )
        try:
            return Manifest.model_validate_json(data)
        except (ValidationError, RecursionError) as error:
            self._refuse("its manifest cannot be read", error)

    def _match_parts(self) -> dict[str, Part]:
        parts = {part.name: part for part in self.manifest.parts}
        if len(parts) != len(self.manifest.parts) or {*parts, manifest.NAME} != set(self._entries):
            self._refuse("its manifest names other parts than it has")
        if any(part.size_bytes != self._entries[part.name].file_size for part in parts.values()):
            self._refuse("a part has another size than its manifest says")
        if content_digest(parts.values()) != self.manifest.content_sha256:
            self._refuse("its manifest was altered")
        whole = {f"{held.folder}/execution.json" for held in self.manifest.executions}
        whole |= {f"{held.folder}/failure.json" for held in self.manifest.failures}
        whole |= {f"{held.folder}/version.json" for held in self.manifest.workflows if held.version}
        if not whole <= set(parts) or self.manifest.execution_id not in {
            held.id for held in self.manifest.executions
        }:
            self._refuse("its manifest promises something that it does not hold")
        return parts

    def _unpack(self, entry: zipfile.ZipInfo) -> bytes:
        """Return an entry; never more than the size that it was allowed to say."""
        try:
            with self._lock, self._zip.open(entry) as file:
                data = file.read(entry.file_size + 1)
        except _BROKEN as error:
            self._refuse(f"{entry.filename} cannot be unpacked", error)
        if len(data) != entry.file_size:
            self._refuse(f"{entry.filename} has another size than it says")
        return data

    def _refuse(self, why: str, cause: BaseException | None = None) -> NoReturn:
        raise BundleDamaged(
            f"{self.path.name} cannot be opened as a bundle: {why}. Ask for it again and compare the SHA-256."
        ) from cause


def _open(path: Path) -> tuple[BinaryIO, int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold us up
    except OSError as error:
        raise BundleError(f"{path} cannot be opened: {error.strerror}.") from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size <= limits.FILE_BYTES_MAX:
        return os.fdopen(descriptor, "rb"), status.st_size
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} is not a file.")
    raise BundleDamaged(f"{path.name} is larger than any bundle (256 MiB); it is not opened.")
