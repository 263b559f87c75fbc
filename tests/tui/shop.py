"""A shop whose orders fail overnight, on a real server: what tests of failures and replays look at.

    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.run("report", "mon", "tue")      # each runs the user's own code in a process of its own
    shop.mend()                          # from now on the code does what it should

The code is run by `omium run`'s own way, in this process's Python, and by a worker where a test starts one.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx

import omium
from tests import preloaded
from tests.migrated import put_sqlite
from tests.serverfixture import IN_CLEAR, RunningServer

TIMEOUT_S = 120

CODE = """
import sys
from pathlib import Path

import omium

MENDED = Path(__file__).with_name("mended")


@omium.handler("price")
def price(number):
    if not MENDED.exists():
        raise KeyError("price list 2026 is not there")
    return {"total": 10 * number}


@omium.step
def load_rows(day):
    return ["a;1", "b;"]


@omium.step
def add_up(rows):
    return sum(int(row.split(";")[1]) for row in rows)


@omium.workflow
def report(day):
    return add_up(load_rows(day))


@omium.step
def look(number):
    if number == 149:
        raise ValueError("the last one")


@omium.workflow
def many(count):
    for number in range(count):
        look(number)


@omium.step
def share(number):
    return 10 // number


@omium.workflow
def divide(number):
    return share(number)


def refund(inputs, output, effect_key):
    return None


@omium.step(effect=True, compensate=refund)
def charge(customer):
    return {"charge": "ch_" + customer}


@omium.step(effect=True)
def pay(customer):
    if not MENDED.exists():
        raise ConnectionError("the bank did not answer")
    return {"paid": customer}


@omium.workflow
def sale(customer):
    charged = charge(customer)
    omium.checkpoint("charged", charged)
    return pay(customer)


if __name__ == "__main__":
    name = sys.argv[1]
    for argument in sys.argv[2:]:
        value = int(argument) if argument.isdigit() else argument
        try:
            globals()[name](value)
        except omium.Suspended as told:
            print(told)
        except Exception as error:
            print(type(error).__name__)
"""

PRICING = {
    "omium": "0",
    "name": "pricing",
    "inputs": {"type": "object", "properties": {"number": {"type": "integer"}}},
    "nodes": [
        {
            "id": "price",
            "type": "function",
            "parameters": {"handler": "price"},
            "inputs": {"number": {"$from": "inputs.number"}},
        }
    ],
    "outputs": {"total": {"$from": "nodes.price.output.total"}},
}
DELIVERY = {
    "omium": "0",
    "name": "delivery",
    "inputs": {"type": "object", "properties": {"number": {"type": "integer"}}},
    "nodes": [
        {
            "id": "prices",
            "type": "subworkflow",
            "workflow": "pricing",
            "inputs": {"number": {"$from": "inputs.number"}},
        }
    ],
}
WRITES = {
    "omium": "0",
    "name": "writes",
    "nodes": [
        {
            "id": "draft",
            "type": "llm_call",
            "parameters": {"prompt": "Write badly.", "llm": {"provider": "nobody", "model": "m"}},
        },
    ],
}
ASKS = {
    "omium": "0",
    "name": "asks",
    "nodes": [
        {"id": "one", "type": "approval", "parameters": {"message": "Send it?"}},
        {"id": "paid", "type": "wait", "parameters": {"signal": "paid"}},
    ],
}


class Shop:
    """A server, and code that fails on it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        put_sqlite(folder / "server" / "data" / "omium.sqlite")
        self.folder = folder
        self.server = RunningServer(folder / "server" / "data", {"OMIUM_BALLAST_BYTES": "0", **environment})
        self.server.bootstrap()
        self.file = folder / "shop.py"
        self.file.write_text(textwrap.dedent(CODE))
        self._workers: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "OMIUM_BASE_URL": self.server.base_url,
            "OMIUM_API_KEY": self.server.api_key,
            "OMIUM_CONFIG_DIR": str(self.folder / "config"),
            "PYTHONPATH": str(Path(omium.__file__).parents[1]),
        }

    def run(self, workflow: str, *arguments: object) -> None:
        """Run `workflow` once for each argument, one after another."""
        process = preloaded.Popen(
            [sys.executable, str(self.file), workflow, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, out + err

    def work(self) -> None:
        """Start a worker that serves the shop's workflows, until the shop is closed."""
        process = preloaded.Popen(
            [sys.executable, "-m", "omium", "worker", str(self.file)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._workers.append(process)

    def start(self, document: dict[str, object], **inputs: object) -> str:
        """Start a workflow from a document on the server; return the execution's id."""
        self.post("/v1/workflows", {"document": document})
        return self.cli("run", str(document["name"]), "--no-wait", "--inputs", json.dumps(inputs)).strip()

    def cli(self, *arguments: str) -> str:
        """Run a command of `omium`; return what it printed."""
        process = preloaded.Popen(
            [sys.executable, "-m", "omium", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, out + err
        return out

    def mend(self) -> None:
        """Let the code do what it should."""
        (self.folder / "mended").touch()

    def get(self, path: str):
        reply = httpx.get(
            self.server.base_url + path, headers=self.server.headers, timeout=TIMEOUT_S, verify=IN_CLEAR
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, body=None):
        headers = {**self.server.headers, "idempotency-key": os.urandom(8).hex()}
        reply = httpx.post(
            self.server.base_url + path, json=body or {}, headers=headers, timeout=TIMEOUT_S, verify=IN_CLEAR
        )
        assert reply.status_code < 300, reply.text
        return reply.json()

    def newest(self, workflow: str) -> str:
        """Return the id of the newest execution of a workflow."""
        return self.get(f"/v1/executions?workflow={workflow}&limit=1")["items"][0]["id"]

    def failure(self, workflow: str) -> str:
        """Return the id of the newest open failure of a workflow."""
        return self.get(f"/v1/failures?workflow={workflow}&status=open")["items"][0]["id"]

    def close(self) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait(timeout=TIMEOUT_S)
        self.server.kill()
