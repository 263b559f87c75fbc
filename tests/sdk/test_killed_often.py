"""A script that is killed again and again, at any moment, ends right and pays for nothing twice."""

import random
import signal
import subprocess
from collections import Counter

import pytest

from tests.sdk.served import TIMEOUT_S, make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]

SCRIPT = """
    import asyncio, os, random, sys, time, omium
    from concurrent.futures import ThreadPoolExecutor

    def note(text):
        with open("done.txt", "a") as file:  # one write of one line: appended whole
            file.write(text + "\\n")

    @omium.step
    def work(x):
        time.sleep(random.random() * 0.15)
        note(f"work {x}")
        return x * x

    @omium.step
    def outer(x):
        return work(x) + inner(x)

    @omium.step
    def inner(x):
        time.sleep(random.random() * 0.15)
        return x

    @omium.step(effect="idempotent")
    def send(x):
        note(f"send {x} {omium.effect_key()}")
        return x

    @omium.step
    async def think(x):
        await asyncio.sleep(random.random() * 0.15)
        return -x

    @omium.workflow
    async def flow():
        numbers = list(range(24))
        random.shuffle(numbers)
        thoughts = await asyncio.gather(*map(think, sorted(numbers)))
        with ThreadPoolExecutor(3) as pool:
            futures = {x: asyncio.get_running_loop().run_in_executor(pool, outer, x) for x in numbers}
            squares = {x: await futures[x] for x in sorted(numbers)}
        return thoughts, squares, [send(x) for x in range(4)]

    if __name__ == "__main__":
        print("begun", flush=True)
        print(asyncio.run(omium.arun_workflow(flow, idempotency_key="only")))
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_script_that_is_killed_at_any_moment_ends_right(server, seed):
    chance = random.Random(seed)
    script = server.write("often.py", SCRIPT)
    kills = 0
    while True:
        process = server.start(script)  # it lives a little longer each time: the machine may be busy
        assert process.stdout.readline() == "begun\n"
        try:
            out, err = process.communicate(timeout=(0.05 + chance.random() * 0.25) * 1.15**kills)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=TIMEOUT_S)
            kills += 1
            continue
        assert process.returncode == 0, err
        break

    assert kills > 2
    thoughts, squares = [-x for x in range(24)], {x: x * x + x for x in range(24)}
    assert out == f"({thoughts}, {squares}, [0, 1, 2, 3])\n"
    done = (server.folder / "done.txt").read_text().splitlines()
    sent = Counter(line.split()[1] for line in done if line.startswith("send"))
    keys = {tuple(line.split()[1:]) for line in done if line.startswith("send")}
    assert set(sent) == {"0", "1", "2", "3"}
    assert len(keys) == 4  # whoever receives them sees each effect under one key
    detail = server.newest()
    assert detail["status"] == "completed"
    worked = [line for line in done if line.startswith("work")]
    assert len(worked) <= 24 + 3 * kills  # what ran in the pool at a kill is all that can run again
