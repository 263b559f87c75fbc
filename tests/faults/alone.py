"""Run a command where there is no network but loopback, and note every address that it tried to reach.

    alone = Alone(tmp_path)                      # alone.is_possible says whether this machine lets us
    code, output = alone.run("make", "demo")
    alone.strangers()                            # every address beyond this machine that anything tried

A network namespace of its own has no route to anywhere; strace sees every attempt, of every child, whether it
failed or not.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 6 * 3_600  # the long form runs thousands of tests under strace
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


class Alone:
    """A machine without neighbours. Traces are kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._trace = folder / "connects"
        self._unshare = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]

    @property
    def is_possible(self) -> bool:
        """Say whether namespaces are permitted and strace is there."""
        if shutil.which("strace") is None or shutil.which("unshare") is None:
            return False
        return subprocess.run([*self._unshare, "true"], capture_output=True, check=False).returncode == 0

    def run(self, *command: str, **environment: str) -> tuple[int, str]:
        """Run `command` in the repository's folder; return its exit code and everything that it said."""
        watched = [
            "strace",
            "-f",
            "-qq",
            "--seccomp-bpf",
            "-e",
            "trace=connect,sendto,sendmsg,sendmmsg",
            "-o",
            str(self._trace),
        ]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [*self._unshare, sys.executable, "-m", "tests.faults.alone", *watched, *command],
            cwd=ROOT,
            env={**kept, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    @property
    def attempts(self) -> int:
        """How often anything was reached for, at home or not."""
        return sum(1 for line in self._trace.read_text().splitlines() if _ADDRESS.search(line))

    def before(self, address: str, lines: int = 6) -> str:
        """Return what was sent last before `address` was tried: who asked, and for what, mostly shows."""
        said = [
            line[:300] for line in self._trace.read_text().splitlines() if "send" in line or address in line
        ]
        at = next(at for at, line in enumerate(said) if address in line)
        return "\n".join(said[max(at - lines, 0) : at + 1])

    def strangers(self) -> list[str]:
        """Return the addresses beyond this machine that were tried."""
        tried = [first or second for first, second in _ADDRESS.findall(self._trace.read_text())]
        return sorted({each for each in tried if not is_at_home(each)})


def is_at_home(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback or found.is_unspecified


def bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP_AND_RUNNING))


if __name__ == "__main__":
    bring_up_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])
