"""A disk of a few megabytes that can be filled to the last byte, seen only by processes that are led to it.

    with SmallDisk(tmp_path / "disk", size="8m") as disk:
        subprocess.run([*disk.enter, sys.executable, ...])       # there it is `tmp_path / "disk"`
        disk.fill(); disk.free()

A tmpfs in a mount namespace of its own, held by a shell. From here its files are under `disk.path`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.faults.patience import PATIENCE_S

NAMESPACE = ["unshare", "--map-root-user", "--mount", "sh", "-c"]


class SmallDisk:
    """Mounted from the beginning of the block to its end."""

    def __init__(self, folder: Path, size: str) -> None:
        folder.mkdir()
        script = f'mount -t tmpfs -o size={size} none "$1" && echo mounted && read _'
        self._holder = subprocess.Popen(
            [*NAMESPACE, script, "sh", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n"
        target = f"--target={self._holder.pid}"
        self.enter = ["nsenter", target, "--user", "--mount", "--preserve-credentials"]
        self.path = Path(f"/proc/{self._holder.pid}/root{folder}")
        self._filler = self.path / "filler"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.wait(timeout=PATIENCE_S)
        self._holder.stdout.close()

    def fill(self, spare_bytes: int = 0) -> None:
        """Take what the disk has left, but for `spare_bytes`."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4_096))
            except OSError:
                file.truncate(max(0, file.tell() - spare_bytes))

    def free(self) -> None:
        """Give it all back."""
        self._filler.unlink()


def can_mount() -> bool:
    """Say whether this machine lets us have a namespace."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    tried = subprocess.run([*NAMESPACE, "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    return tried.returncode == 0


needs_small_disk = pytest.mark.skipif(not can_mount(), reason="a disk of one's own needs mount namespaces")
