"""The command line against a real server: as a process of its own, with a configuration of its own."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import preloaded
from tests.serverfixture import make_running_server, running_server  # noqa: F401  # fixtures

TIMEOUT_S = 100

AGENTS = """
import os, signal, time, logging
import omium

@omium.step
def plan(topic: str) -> dict:
    print("planning", topic)
    return {"topic": topic, "sections": ["a", "b"]}

@omium.step
def research(plan: dict) -> str:
    logging.getLogger("agent").warning("searching for %s", plan["topic"])
    return "found " + plan["topic"]

@omium.step
def write(plan: dict, notes: str) -> str:
    if os.environ.get("DIE"):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("HANG_UNTIL"):
        open(os.environ["HANG_UNTIL"] + ".reached", "w").close()
    while os.environ.get("HANG_UNTIL") and not os.path.exists(os.environ["HANG_UNTIL"]):
        time.sleep(0.05)
    if plan["topic"] == "bad":
        raise ValueError("nonsense about " + plan["topic"])
    return f"report on {plan['topic']}: {notes}"

@omium.workflow
def report(topic: str) -> str:
    made = plan(topic)
    notes = research(made)
    omium.checkpoint("researched", {"notes": notes})
    return write(made, notes)

def refund(inputs, output, effect_key):
    print("refunded", output)

@omium.step(effect=True, compensate=refund)
def charge(amount: int) -> dict:
    if os.environ.get("DIE"):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"charge_id": "ch_1"}

@omium.step
def mail(receipt: dict) -> str:
    if os.environ.get("FAIL"):
        raise RuntimeError("smtp down")
    return "sent"

@omium.workflow
def order(amount: int) -> str:
    return mail(charge(amount))
"""


@dataclass(slots=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass(slots=True)
class Cli:
    """Runs `omium` as a person's shell would: `cli("executions", "list").out`."""

    folder: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen] = field(default_factory=list)

    def __call__(self, *arguments: str, **variables: str) -> Done:
        typed = variables.pop("stdin", "")
        process = preloaded.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                out, err = process.communicate(typed, timeout=TIMEOUT_S)
            except BaseException:
                process.kill()
                raise
        return Done(process.returncode, out, err)

    def python(self, code: str, **variables: str) -> Done:
        """Run the user's own script."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen:
        """Start a command that stays, such as a worker; it is ended with the test."""
        process = preloaded.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "omium", *arguments]

    def newest(self, workflow: str | None = None) -> str:
        narrowed = ["--workflow", workflow] if workflow else []
        return self("executions", "list", "--json", *narrowed).json[0]["id"]


def wait_for_file(path: Path) -> None:
    """Return once another process has made `path`; the test's own timeout bounds it."""
    while not path.exists():
        time.sleep(0.05)


def make_cli(folder: Path, **variables: str) -> Cli:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
    kept.pop("COLUMNS", None)
    environment = {
        **kept,
        "OMIUM_CONFIG_DIR": str(folder / "config"),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[2]), str(folder)]),
        **variables,
    }
    return Cli(folder, environment)


@pytest.fixture
def lone_cli(tmp_path):
    """The command line of a machine on which nothing was done yet, and no server answers."""
    return make_cli(tmp_path, OMIUM_BASE_URL="http://127.0.0.1:1", OMIUM_DATA_DIR=str(tmp_path / "nodata"))


@pytest.fixture
def cli(tmp_path, running_server):  # noqa: F811  # the fixture
    """The command line with a key of a real server; `my_agents.py` lies in its folder."""
    made = make_cli(
        tmp_path,
        OMIUM_BASE_URL=running_server.base_url,
        OMIUM_API_KEY=running_server.api_key,
        OMIUM_DATA_DIR=str(running_server.data),
    )
    (tmp_path / "my_agents.py").write_text(AGENTS)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
