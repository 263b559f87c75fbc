"""What the demos share: servers that run beside them, commands as a person types them, the model's counter.

Owns no story: those are run.py, crew.py and workflow.py. Files stay in .demo/.
"""

from __future__ import annotations

import contextlib
import json
import os
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


def calls() -> dict[str, Any]:
    """Return what the model server counted."""
    with urllib.request.urlopen(f"{os.environ['MODEL_URL']}/calls", timeout=10) as answer:
        return dict(json.load(answer))


def kill_while_it_waits(command: list[str], who: str) -> None:
    """Start a script, and end it with SIGKILL once the model was asked in the name of `who`."""
    process = subprocess.Popen(command)
    while not calls()["begun"].get(who):
        if process.poll() is not None:
            raise SystemExit(f"{command[1]} ended by itself, with {process.returncode}.")
        time.sleep(0.01)
    process.kill()
    process.wait()


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
