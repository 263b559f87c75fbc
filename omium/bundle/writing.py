"""Writing the file: parts go into a zip one after the other, and it gets its name when it is whole.

Owns the draft beside the target and the bounds while writing. What the parts are is collecting.py's.

A process that dies leaves `.NAME.….part` beside the target, and the target as it was: only the last line of
`draft` gives the new file its name, after all of it is on the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from omium.bundle import limits, manifest
from omium.bundle.manifest import Part
from omium.errors import BundleError

_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes, whenever it is written
_LEVEL: Final = 6


class ArchiveWriter:
    """Adds parts to a zip, each digested; refuses what a reader would refuse."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=False, compresslevel=_LEVEL)
        self.parts: list[Part] = []
        self.unpacked_bytes = 0

    @property
    def packed_bytes(self) -> int:
        """How long the file is by now."""
        return self._file.tell()

    def has_room(self, size_bytes: int) -> bool:
        """Say whether a value of `size_bytes` may still be added: what comes last must fit behind it."""
        return (
            size_bytes <= limits.PART_BYTES_MAX
            and self.packed_bytes + size_bytes <= limits.FILE_BYTES_MAX - limits.RESERVED_BYTES
            and self.unpacked_bytes + size_bytes <= limits.UNPACKED_BYTES_MAX - limits.RESERVED_BYTES
            and len(self.parts) < limits.PARTS_MAX - 10
        )

    def add(self, name: str, data: bytes, *, items: int = 1) -> None:
        """Add the part `name`. Raises `BundleError` where it is more than one bundle holds."""
        assert manifest.is_part_name(name), name
        if (
            len(data) > manifest.size_max(name)
            or len(self.parts) >= limits.PARTS_MAX - 1
            or self.unpacked_bytes + len(data) > limits.UNPACKED_BYTES_MAX
            or self.packed_bytes > limits.FILE_BYTES_MAX - limits.RESERVED_BYTES
        ):
            raise BundleError(
                "This is more than one bundle holds (256 MiB, 2 GiB unpacked). Make it without values, or"
                " without children."
            )
        self._write(name, data)
        digest = hashlib.sha256(data).hexdigest()
        self.parts.append(Part(name=name, items=items, size_bytes=len(data), sha256=digest))
        self.unpacked_bytes += len(data)

    def finish(self, data: bytes) -> None:
        """Add the manifest and end the file."""
        if len(data) > manifest.size_max(manifest.NAME):
            raise BundleError("This is more than one bundle holds. Make it without children.")
        self._write(manifest.NAME, data)
        self._zip.close()

    def abandon(self) -> None:
        """End the file without a manifest: it is thrown away, so a full disk does not matter any more."""
        with contextlib.suppress(OSError):
            self._zip.close()

    def _write(self, name: str, data: bytes) -> None:
        entry = zipfile.ZipInfo(name, _DATE)
        entry.create_system = 3  # on every system the same
        entry.external_attr = 0o600 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        self._zip.writestr(entry, data, compresslevel=_LEVEL)


def check_target(path: Path, *, overwrite: bool) -> None:
    """Raise `BundleError` where no file can be written at `path`, before anything is asked for."""
    if path.is_dir():
        raise BundleError(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise BundleError(f"There is no folder {path.parent}; make it first.")
    if not overwrite and os.path.lexists(path):
        raise BundleError(f"{path} exists already; choose another name, or say that it may be overwritten.")


@contextlib.contextmanager
def draft(path: Path, *, overwrite: bool) -> Iterator[ArchiveWriter]:
    """Give a writer; what it was given stands at `path` (mode 0600) when the block has ended well.

    Whatever goes wrong, also Ctrl-C, leaves nothing behind but what stood there. Raises `BundleError`.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BundleError(f"{path} cannot be written: {error.strerror}. Choose another folder.") from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            writer = ArchiveWriter(file)
            try:
                yield writer
            except BaseException:
                writer.abandon()
                raise
            file.flush()
            os.fsync(file.fileno())
        _give_name(temporary, path, overwrite=overwrite)
    except OSError as error:
        raise BundleError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _give_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(temporary, path)  # unlike a rename it never replaces what came meanwhile
        except FileExistsError as error:
            raise BundleError(f"{path} exists by now; choose another name.") from error
        except OSError:
            pass  # a file system without links: what came meanwhile is replaced
        else:
            return _sync_folder(path.parent)
    temporary.replace(path)
    return _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
