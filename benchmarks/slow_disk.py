"""A slow disk: every fsync and fdatasync of a process takes 5 ms longer.

Owns how: a library that is loaded before the C library's where there is a compiler; else strace delays the
two calls (and costs a little more with each). What is compared runs under the same.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import open_folder
from benchmarks.rows import Missing

SYNC_MS = 5

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void wait_for_disk(void) {
    struct timespec delay = {0, %d * 1000 * 1000};
    nanosleep(&delay, 0);
}
int fsync(int file) {
    static int (*inner)(int);
    if (!inner) inner = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
    wait_for_disk();
    return inner(file);
}
int fdatasync(int file) {
    static int (*inner)(int);
    if (!inner) inner = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    wait_for_disk();
    return inner(file);
}
"""


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """How to start a process on it: further variables, and words before its command."""

    environment: dict[str, str]
    wrapper: tuple[str, ...]
    way: str


@contextmanager
def open_slow_disk() -> Iterator[SlowDisk]:
    """Yield a way to delay syncs, or raise `Missing`."""
    compiler, strace = shutil.which("cc"), shutil.which("strace")
    with open_folder() as folder:
        if compiler is not None:
            library = _compile(compiler, folder)
            yield SlowDisk({"LD_PRELOAD": str(library)}, (), "a library around fsync and fdatasync")
        elif strace is not None:
            delay = f"inject=fsync,fdatasync:delay_enter={SYNC_MS * 1000}"
            words = (
                strace,
                "-f",
                "-qq",
                "--seccomp-bpf",
                "-o",
                "/dev/null",
                "-e",
                "trace=fsync,fdatasync",
                "-e",
            )
            yield SlowDisk({}, (*words, delay), "strace, which delays fsync and fdatasync")
        else:
            raise Missing("neither a C compiler nor strace is installed")


def _compile(compiler: str, folder: Path) -> Path:
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(SHIM % SYNC_MS)
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library
