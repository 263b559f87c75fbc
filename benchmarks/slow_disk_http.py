"""Durable steps by HTTP over 64 connections on a disk whose sync takes 5 ms, beside a constant answer.

    python -m benchmarks.slow_disk_http [--json] [--rounds 3] [--quick]

As http_hot_path; the constant server writes nothing, so the slow disk is Omium's alone.
"""

from __future__ import annotations

from benchmarks.http_hot_path import make_row
from benchmarks.rows import Options, Row, run_module
from benchmarks.slow_disk import open_slow_disk


def measure(options: Options) -> list[Row]:
    """Load both servers in turn, Omium's with slow syncs."""
    with open_slow_disk() as disk:
        row = make_row(
            options,
            name="slow_disk_http",
            what="the same on a disk whose sync takes 5 ms",
            goals=(0.15, None),
            bound_by="the disk: 64 connections share each sync, so at most 64 steps per 5 ms and a commit",
            environment=disk.environment,
            wrapper=disk.wrapper,
        )
    return [row]


if __name__ == "__main__":
    run_module(measure, __doc__)
