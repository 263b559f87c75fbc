"""Sweeps: bounded, counted, and never ended by their own mistakes."""

import asyncio

import pytest

from omium.errors import ShuttingDown, StorageBusy
from omium.server.background import build_sweeps
from omium.server.background.runner import PORTIONS_MAX, Runner, Sweep
from omium.server.db.tx import Sql
from omium.server.web.metrics import Metrics
from tests.serverfixture import test_settings


class FakeDatabase:
    """Runs works with nothing to work on: a runner only passes them on."""

    dialect = "sqlite"

    async def write(self, work):
        return work(None)


class Pauses:
    """Takes the place of asyncio.sleep: notes each pause and lets the loop turn."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


def runner(*sweeps, db=None, metrics=None, sleep=None) -> Runner:
    return Runner(db or FakeDatabase(), sweeps, metrics or Metrics(), sleep=sleep or Pauses())


async def test_a_full_portion_is_followed_by_the_next_at_once():
    left = [10, 10, 3, 10]
    sweep = Sweep("s", 1.0, lambda tx: left.pop(0), bounded=10)

    assert await runner(sweep).run_once(sweep) == 23
    assert left == [10]


async def test_a_sweep_that_always_finds_more_lets_others_go_on():
    sweep = Sweep("s", 1.0, lambda tx: 1, bounded=1)

    assert await runner(sweep).run_once(sweep) == PORTIONS_MAX


@pytest.mark.parametrize("error", [RuntimeError("mistake"), StorageBusy(), ShuttingDown()])
async def test_a_mistake_is_counted_and_the_next_round_comes(error, capsys):
    rounds = []

    def work(tx):
        rounds.append(1)
        raise error

    metrics, pauses = Metrics(), Pauses()
    running = runner(Sweep("gloomy", 5.0, work), metrics=metrics, sleep=pauses)
    running.start()
    while len(rounds) < 3:  # noqa: ASYNC110  # what the sweep does is the only sign of it
        await asyncio.sleep(0)
    await running.stop()

    counted = b'omium_sweep_failures_total{sweep="gloomy"}' in metrics.render()
    assert counted is not isinstance(error, ShuttingDown)
    assert 0 <= pauses.taken[0] <= 5
    assert all(4 <= pause <= 6 for pause in pauses.taken[1:])


async def test_one_sweep_does_not_hold_up_another():
    done, waiting = [], []
    blocked = asyncio.Event()

    class Slow(FakeDatabase):
        async def write(self, work):
            if work(None):
                waiting.append(1)
                await blocked.wait()
            return 0

    running = runner(
        Sweep("slow", 1.0, lambda tx: 1), Sweep("fast", 1.0, lambda tx: done.append(1) or 0), db=Slow()
    )
    running.start()
    while len(done) < 5:  # noqa: ASYNC110  # as above
        await asyncio.sleep(0)
    await running.stop()

    assert len(waiting) == 1


def test_two_sweeps_of_one_name_are_a_mistake():
    with pytest.raises(ValueError, match="same name"):
        runner(Sweep("a", 1.0, lambda tx: 0), Sweep("a", 1.0, lambda tx: 0))


async def test_every_sweep_of_the_server_runs_on_both_databases(each_app_client, tmp_path):
    for sweep in build_sweeps(test_settings(tmp_path)):
        assert await each_app_client.server.db.write(sweep.work) == 0, sweep.name


async def test_old_idempotency_records_are_swept(each_app_client, tmp_path):
    client = each_app_client
    await client.post_keyed("/v1/keys", {"name": "a"})
    settings = test_settings(tmp_path, idempotency_retention_s=-1)
    sweep = next(sweep for sweep in build_sweeps(settings) if sweep.name == "idempotency records")

    assert await client.server.db.write(sweep.work) == 1
    assert (
        await client.server.db.read(lambda tx: tx.value(Sql("SELECT COUNT(*) FROM idempotency_records"))) == 0
    )
