"""Growth: neither memory nor the file grows with what a server has done, only with what it keeps.

A whole server without its sockets, on an injected clock: executions come in over HTTP, days of sweeps pass,
retention removes what is old. Memory is measured in Python's own blocks, which do not depend on the
machine, and in RSS.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest

from omium.ids import new_id
from omium.models.account import Retention
from omium.server.background import build_sweeps
from omium.server.background.runner import Runner
from omium.server.db.sql import Sql
from omium.server.engine import retention
from omium.server.live import LiveHub
from tests.engine.harness import digest_of
from tests.serverfixture import open_app_client, test_settings

pytestmark = pytest.mark.timeout(900)
DAYS = 4
DAY_S = 24 * 3600
STEPS = 3
BLOCKS_PER_EXECUTION_MAX = (
    2.0  # of some 300 that one takes while it runs; a kept row or name is at least three
)
RSS_GROWTH_MAX_BYTES = 32 << 20
PAGES_GROWTH_MAX = 1.25
PAGES = Sql("SELECT page_count FROM pragma_page_count")
FREE = Sql("SELECT freelist_count FROM pragma_freelist_count")


async def run_executions(client, count):
    """Start `count` executions with steps, a failure now and then, over HTTP."""
    for number in range(count):
        now_us = client.clock.now_us()
        value = {"topic": f"t{number % 50}"}
        id_ = new_id("ex", now_us)
        command = {
            "id": id_,
            "workflow": f"w{number % 5}",
            "driver": "local",
            "input": value,
            "input_digest": digest_of(value),
            "lease_token": "t" * 32,
        }
        started = await client.post_keyed("/v1/executions", command)
        assert started.is_success, started.text
        about = {"name": "s", "attempt": 1, "input": 1, "input_digest": digest_of(1)}
        times = {"started_at_us": now_us, "ended_at_us": now_us}
        writes = [
            {"type": "step.completed", "path": f"s{step}", "output": {"text": "x" * 300}, **about, **times}
            for step in range(STEPS)
        ]
        error = {"type": "ValueError", "message": f"number {number}"}
        writes.append(
            {"type": "execution.failed", "error": error}
            if number % 20 == 0
            else {"type": "execution.completed", "output": number}
        )
        group = {"execution_id": id_, "epoch": 1, "lease_token": "t" * 32, "writes": writes}
        written = await client.post("/v1/writes", json={"groups": [group]})
        assert all(each["problem"] is None for each in written.json()["groups"][0]["results"]), written.text
        client.clock.advance(0.02)


async def pass_minutes(client, runner, sweeps, minutes):
    for _ in range(minutes):
        client.clock.advance(60)
        for sweep in sweeps:
            await runner.run_once(sweep)


def measure():
    """Return what this process holds now: Python's blocks, and RSS in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return sys.getallocatedblocks(), pages * 4096


async def count_pages(db):
    """Return the pages of the file, and those of them that are in use."""

    def read(tx):
        return tx.value(PAGES), tx.value(FREE)

    pages, free = await db.read(read)
    return pages, pages - free


async def try_days(gate, tmp_path, count, minutes):
    """Live through `DAYS` days with `count` executions each, and compare the last with the second."""
    settings = test_settings(tmp_path, idempotency_retention_s=DAY_S)
    measured, pages = [], []
    async with open_app_client(settings) as client:
        server = client.server
        sweeps = build_sweeps(settings, server.engine.policy, server)
        runner = Runner(server.db, sweeps, server.metrics)
        kept = Retention(completed_days=1, cancelled_days=1, failed_days=1)
        answer = await client.put("/v1/settings/retention", json=kept.model_dump(mode="json"))
        assert answer.is_success, answer.text
        for _ in range(DAYS):
            await run_executions(client, count)
            await pass_minutes(client, runner, sweeps, minutes)
            client.clock.advance(DAY_S - minutes * 60)
            measured.append(measure())
            pages.append(await count_pages(server.db))
            gate.tried(count, "executions")
            gate.show_progress(len(pages) * count, DAYS * count)
    blocks = (measured[-1][0] - measured[1][0]) / (count * (DAYS - 2))
    rss_bytes = measured[-1][1] - measured[1][1]
    gate.figure("Python's memory blocks for each execution, in the long run", round(max(blocks, 0), 3))
    gate.lost(int(blocks > BLOCKS_PER_EXECUTION_MAX), f"{blocks:.2f} memory blocks stay of each execution")
    gate.lost(int(rss_bytes > RSS_GROWTH_MAX_BYTES), f"RSS has grown by {rss_bytes >> 20} MiB")
    for what, second, last in zip(("file", "pages in use"), pages[1], pages[-1], strict=True):
        gate.lost(int(last > second * PAGES_GROWTH_MAX), f"the {what}: {second} pages, days later {last}")


@pytest.mark.gate(
    promise="A server's memory and its file do not grow with what it has done, only with what it keeps",
    fault="days of executions and of sweeps with retention, on a simulated clock",
)
async def test_neither_memory_nor_the_file_grow_with_what_was_done(gate, tmp_path):
    await try_days(gate, tmp_path, gate.rounds(150, 25_000), DAY_S // 60 if gate.torture else 180)


@pytest.mark.planted(
    bug="Each hint is kept for whoever may come",
    gate="test_neither_memory_nor_the_file_grow_with_what_was_done",
)
async def test_a_list_that_only_grows_is_found(trial, tmp_path, monkeypatch):
    kept = []
    publish = LiveHub.publish

    def publish_and_keep(self, tenant_id, execution_id, seq):
        kept.append((tenant_id, f"{execution_id} {seq}"))
        publish(self, tenant_id, execution_id, seq)

    monkeypatch.setattr(LiveHub, "publish", publish_and_keep)
    await try_days(trial, tmp_path, 100, 10)


@pytest.mark.planted(
    bug="Retention removes nothing",
    gate="test_neither_memory_nor_the_file_grow_with_what_was_done",
)
async def test_rows_that_are_left_behind_are_found(trial, tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "sweep_executions", lambda _tx: 0)
    await try_days(trial, tmp_path, 100, 10)
