"""A disk that forgets: what a power cut would leave, worked out from a trace of a process's writes.

strace shows every write, truncation and sync with its data. `list_cuts` replays them and stops at each
acknowledgement (a write to standard output): there, a file holds the bytes of its last sync, and of the
writes since then none or any, as a real disk would have it. Files that were there before are `known`.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

STRACE = [
    "strace",
    "-f",
    "-y",
    "-xx",
    "-s",
    "1000000",
    "-e",
    "trace=pwrite64,write,ftruncate,fdatasync,fsync",
]

_CALL = re.compile(r"\d+ +(?P<name>\w+)\((?P<handle>\d+)<(?P<path>[^>]*)>(?:, (?P<arguments>.*))?")
_RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?:fdatasync|fsync) resumed>")


@dataclass
class DiskFile:
    """A file as the disk has it, and what was written to it since it was last synced."""

    durable: bytearray = field(default_factory=bytearray)
    writes: list[tuple[int, bytes] | int] = field(default_factory=list)  # (offset, data), or a new length

    def __post_init__(self) -> None:
        self.end = len(self.durable)  # how long the file is for who reads it now

    def write(self, write: tuple[int, bytes] | int) -> None:
        """Take a write that is not synced yet."""
        self.writes.append(write)
        self.end = write if isinstance(write, int) else max(self.end, write[0] + len(write[1]))

    def after_power_cut(self, chance: random.Random | None) -> bytes:
        """Return the bytes that are left; `chance` decides which unsynced writes made it, None: no one."""
        content = bytearray(self.durable)
        for write in self.writes:
            if chance is not None and chance.random() < 0.5:
                _apply(content, write)
        return bytes(content)

    def sync(self) -> None:
        for write in self.writes:
            _apply(self.durable, write)
        self.writes.clear()


def list_cuts(trace: Path, known: Iterable[Path] = ()) -> Iterator[tuple[str, dict[str, DiskFile]]]:
    """Yield each line that was printed, with the files as they were at that moment, by path."""
    files = {str(path): DiskFile(bytearray(path.read_bytes())) for path in known}
    syncing: dict[str, DiskFile] = {}
    with trace.open() as lines:
        for line in lines:
            if resumed := _RESUMED.match(line):
                syncing.pop(resumed["thread"]).sync()
            if not (call := _CALL.match(line)):
                continue
            file = files.setdefault(_bytes(call["path"]).decode(), DiskFile())
            match call["name"]:
                case "fdatasync" | "fsync" if "<unfinished" in line:
                    syncing[line.split()[0]] = file
                case "fdatasync" | "fsync":
                    file.sync()
                case "pwrite64":
                    data, _, offset = call["arguments"].split(", ")
                    file.write((int(re.match(r"\d+", offset)[0]), _bytes(data.strip('"'))))
                case "ftruncate":
                    file.write(int(re.match(r"\d+", call["arguments"])[0]))
                case "write" if call["handle"] == "1":
                    yield _bytes(call["arguments"].split(", ")[0].strip('"')).decode().strip(), files
                case "write":  # what is written so is appended
                    file.write((file.end, _bytes(call["arguments"].rpartition(", ")[0].strip('"'))))


def _apply(content: bytearray, write: tuple[int, bytes] | int) -> None:
    if isinstance(write, int):
        del content[write:]
        return
    offset, data = write
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    content[offset : offset + len(data)] = data


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
