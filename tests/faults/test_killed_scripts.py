"""A script that is killed again and again, at any moment, ends right and pays for nothing twice."""

import signal
import subprocess
from collections import Counter

import pytest

from tests.sdk.served import TIMEOUT_S

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
PLANT = "from tests.faults.planted import plant_for_good; plant_for_good"


def kill_often(gate, server, number: int, bug: str = "") -> None:
    """Run the script, killing it at random moments, until it ends; look at what it returned and did."""
    source = SCRIPT.replace("only", f"only-{number}").replace("done", f"done{number}")
    if bug:
        source = source.replace("import asyncio", f"{PLANT}({bug!r})\n    import asyncio", 1)
    script = server.write(f"often{number}.py", source)
    kills = 0
    while True:
        process = server.start(script)  # it lives a little longer each time: the machine may be busy
        assert process.stdout.readline() == "begun\n"
        try:
            out, err = process.communicate(timeout=(0.05 + gate.random.random() * 0.25) * (1 + kills / 4))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=TIMEOUT_S)
            kills += 1
            continue
        break

    gate.tried(kills, "kills")
    thoughts, squares = [-x for x in range(24)], {x: x * x + x for x in range(24)}
    gate.lost(
        out != f"({thoughts}, {squares}, [0, 1, 2, 3])\n", f"it ended with {process.returncode}: {out} {err}"
    )
    done = [line.split() for line in (server.folder / f"done{number}.txt").read_text().splitlines()]
    sent = Counter(words[1] for words in done if words[0] == "send")
    keys = {tuple(words[1:]) for words in done if words[0] == "send"}
    gate.lost(set(sent) != set("0123"), f"sent {sent}")
    gate.lost(len(keys) - len(sent), f"whoever received them saw other keys: {keys}")
    worked = [words for words in done if words[0] == "work"]
    most = 24 + 3 * kills  # what ran in the pool at a kill is all that can run again
    gate.lost(max(0, len(worked) - most), f"{len(worked)} pieces of work in {kills} kills")
    status = server.newest()["status"]
    gate.lost(status != "completed", f"it is {status}")


@pytest.mark.gate(
    promise="A script that is killed again and again ends with the right result of every input.",
    fault="SIGKILL of a script with tasks, a thread pool and effects, at random moments until it ends.",
)
def test_a_script_that_is_killed_at_any_moment_ends_right(gate, server):
    for number in gate.paced(short=2, long=100):
        kill_often(gate, server, number)


@pytest.mark.planted(
    bug="Results are found by number, whatever the input",
    gate="test_a_script_that_is_killed_at_any_moment_ends_right",
)
def test_the_gate_catches_a_script_that_mixes_its_results_up(trial, server, long_only):
    for number in trial.paced(short=5, long=5):
        kill_often(trial, server, number, bug="results-by-number")
