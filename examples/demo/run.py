"""The demo: a real agent graph is killed in its middle, goes on, fails, is patched and replayed.

    make demo

Starts a small language model, an Omium server and a LangGraph graph, all on this machine and without a
network. Everything that is said about calls comes from the model server's own counter, everything about
credits from the ledger. Files stay in .demo/.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / ".demo"
OMIUM = [sys.executable, "-m", "omium"]
AGENTS = ["plan", "people", "risks", "write", "review"]
KILLED_IN = "write"


def main() -> None:
    """Run the demo from start to end; raises where something is not as it should be."""
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    model_port, port = free_port(), free_port()
    os.environ.update(
        MODEL_URL=f"http://127.0.0.1:{model_port}",
        OMIUM_BASE_URL=f"http://127.0.0.1:{port}",
        OMIUM_DATA_DIR=str(FOLDER / "data"),
        OMIUM_CONFIG_DIR=str(FOLDER / "config"),
    )
    with contextlib.ExitStack() as stack:
        say("Starting a small language model and an Omium server on this machine")
        model = [sys.executable, str(HERE / "model_server.py"), str(model_port)]
        stack.enter_context(running(model, "model", f"{os.environ['MODEL_URL']}/calls"))
        serve = [*OMIUM, "serve", "--port", str(port)]
        stack.enter_context(running(serve, "server", f"{os.environ['OMIUM_BASE_URL']}/readyz"))
        show(*OMIUM, "init", "--local", "--yes")
        say("Credits first: a fresh server's tenant has some to begin with")
        show(*OMIUM, "credits", "balance")
        execution_id = killed_halfway()
        goes_on(execution_id)
        replay_id = patched_and_replayed(execution_id)
        refused_by_a_cap()
        account(execution_id, replay_id)
    print(f"\nDone in {time.monotonic() - began:.0f} s. The files are in {FOLDER.name}/.")


def killed_halfway() -> str:
    """Start the graph, kill it with SIGKILL while an agent waits for the model; return the execution's id."""
    say(f"Running seven nodes, and killing the process with SIGKILL while `{KILLED_IN}` waits for the model")
    process = subprocess.Popen([sys.executable, str(HERE / "research.py"), "durable agents"])
    while not calls()["begun"].get(KILLED_IN):
        if process.poll() is not None:
            raise SystemExit(f"The graph ended by itself, with {process.returncode}.")
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    execution_id = str(ask_json(*OMIUM, "executions", "list", "--limit", "1")[0]["id"])
    say("What became of it, and what each step has been charged")
    show(*OMIUM, "executions", "show", execution_id)
    return execution_id


def goes_on(execution_id: str) -> None:
    """Resume: what was finished is not paid again; then `publish` fails by a date that does not exist."""
    before = calls()["begun"]
    say("Going on with it: finished nodes return what they recorded")
    show(*OMIUM, "resume", execution_id, "--here", failing=True)
    after = calls()["begun"]
    for who in AGENTS[: AGENTS.index(KILLED_IN)]:
        assert after[who] == before[who] == 1, f"{who} was asked {after[who]} times"
    assert after[KILLED_IN] == 2, "the call that was cut off is made again, once"
    assert after["review"] == 1


def patched_and_replayed(execution_id: str) -> str:
    """Find the failure, patch the date and replay from the failed node; return the replay's id."""
    say("A real failure. What happened, and is it safe to go on?")
    failure = ask_json(*OMIUM, "failures", "list")[0]
    show(*OMIUM, "failures", "show", failure["id"])
    say("Patching what `schedule` returned, and replaying from `publish`")
    before = calls()["begun"]
    steps = {
        step["name"]: step["key"] for step in ask_json(*OMIUM, "executions", "show", execution_id)["steps"]
    }
    patch = f'{steps["schedule"]}={{"date": "2026-12-01"}}'
    show(
        *OMIUM, "replay", execution_id, "--from", steps["publish"], "--edit-output", patch, "--here", "--yes"
    )
    assert calls()["begun"] == before, "the replay asked the model nothing"
    replay = ask_json(*OMIUM, "executions", "list", "--limit", "1")[0]
    assert (replay["replay_of"], replay["status"]) == (execution_id, "completed")
    return str(replay["id"])


def refused_by_a_cap() -> None:
    """Run the graph with a key that may spend a hundredth of a cent; it is refused before it begins."""
    say("A key that may spend a hundredth of a cent: refused before anything is asked or paid")
    capped = [*OMIUM, "keys", "create", "--name", "small", "--spend-cap", "0.0001"]
    key = ask_json(*capped)["api_key"]
    print(f"\n$ omium {' '.join(capped[3:])}\n\n$ OMIUM_API_KEY={key[:10]}... python research.py", flush=True)
    before = calls()["begun"]
    refused = subprocess.run(
        [sys.executable, str(HERE / "research.py"), "durable agents"],
        check=False, env=os.environ | {"OMIUM_API_KEY": key}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    print("\n".join(refused.stderr.splitlines()[-2:]))
    assert refused.returncode == 1
    assert "CreditsExhausted" in refused.stderr, refused.stderr
    assert calls()["begun"] == before, "the model was asked nothing"


def account(execution_id: str, replay_id: str) -> None:
    """Say what was counted and charged, and what going on saved against running everything again."""
    counted = calls()
    say("What was charged")
    show(*OMIUM, "credits", "history")
    first, replay = (
        ask_json(*OMIUM, "executions", "show", each)["cost"]["charged_microcredits"]
        for each in (execution_id, replay_id)
    )
    assert replay < first / 10, "the replay pays for its own step, not for those that it reused"
    say("What the model server counted, over all of it")
    print(f"{'agent':<10}{'asked':>7}{'tokens':>9}")
    for who in AGENTS:
        print(f"{who:<10}{counted['begun'][who]:>7}{counted['tokens'].get(who, 0):>9}")
    spent = sum(counted["begun"].values())
    # Without records, the crash and the patch would each have meant to begin from the start.
    from_start = AGENTS.index(KILLED_IN) + 1 + 2 * len(AGENTS)
    print(
        f"\n{spent} calls were made. Starting over after the crash and after the patch: {from_start} calls."
    )
    print(f"Look around while it's here: the runs were {execution_id} and {replay_id}.")


def calls() -> dict[str, Any]:
    """Return what the model server counted."""
    with urllib.request.urlopen(f"{os.environ['MODEL_URL']}/calls", timeout=10) as answer:
        return dict(json.load(answer))


@contextlib.contextmanager
def running(command: list[str], name: str, url: str) -> Iterator[None]:
    """Run a server until the block ends; begins when `url` answers."""
    with (FOLDER / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The {name} did not start:\n{(FOLDER / f'{name}.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(url: str) -> bool:
    """Say whether something answers at `url`."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return False
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def show(*command: str, failing: bool = False) -> None:
    """Run a command as a person would, with what it prints; it has to succeed, or with `failing` to fail."""
    shown = " ".join(f"'{part}'" if set(part) & set(' {"') else part for part in command[3:])
    print(f"\n$ omium {shown}", flush=True)
    code = subprocess.run(command, check=False).returncode
    if (code != 0) != failing:
        raise SystemExit(f"That ended with {code}, which was not expected. Logs: {FOLDER}")


def ask_json(*command: str) -> Any:
    """Return what a command prints with --json."""
    answer = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)


def say(words: str) -> None:
    """Print a heading."""
    print(f"\n=== {words} ===", flush=True)


if __name__ == "__main__":
    main()
