"""Three agents as a document: imported, run by the server on a real model, killed inside of each of them.

    make demo-crew

The server itself is killed with SIGKILL while an agent waits for the model, once in each of the three, and
started again. What the model has answered is not asked again: everything that is said about calls comes from
the model server's own counter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from stage import FOLDER, HERE, OMIUM, answers, ask_json, calls, free_port, running, say, show

NODES = ["research", "write", "edit"]
WITHIN_S = 300


def main() -> None:
    """Run it from start to end; raises where something is not as it should be."""
    folder = FOLDER / "crew"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(mode=0o700, parents=True)
    model_port, port = free_port(), free_port()
    os.environ.update(
        MODEL_URL=f"http://127.0.0.1:{model_port}",
        OMIUM_BASE_URL=f"http://127.0.0.1:{port}",
        OMIUM_DATA_DIR=str(folder / "data"),
        OMIUM_CONFIG_DIR=str(folder / "config"),
    )
    providers = f'[local]\nbase_url = "http://127.0.0.1:{model_port}/v1"\nmodels = ["smollm2"]\n'
    (folder / "data" / "providers.toml").write_text(providers)
    model = [sys.executable, str(HERE / "model_server.py"), str(model_port)]
    with running(model, "model", f"{os.environ['MODEL_URL']}/calls"):
        server = start_server(folder, port)
        try:
            show(*OMIUM, "init", "--local", "--yes")
            say("A workflow is a document: imported, looked at")
            show(*OMIUM, "providers", "list")
            show(*OMIUM, "workflows", "import", str(HERE / "crew.json"))
            show(*OMIUM, "workflows", "graph", "crew")
            say("Running it, and killing the server with SIGKILL inside of each of its agents")
            run = [*OMIUM, "run", "crew", "--input", "topic=tea", "--no-wait"]
            execution_id = str(ask_json(*run)["id"])
            for node in NODES:
                wait_until_asked(node, 1)
                server.kill()
                server.wait()
                print(f"killed while `{node}` waited for the model; started again", flush=True)
                server = start_server(folder, port)
            ended = wait_for_end(execution_id)
            show(*OMIUM, "executions", "show", execution_id)
            account(ended)
        finally:
            server.terminate()
            server.wait(timeout=60)


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the server on the folder and wait until it answers."""
    with (folder / "server.log").open("a") as log:
        server = subprocess.Popen(
            [*OMIUM, "serve", "--port", str(port)], stdout=log, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + WITHIN_S
    while not answers(f"http://127.0.0.1:{port}/readyz"):
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"The server did not start; its log is in {folder}.")
        time.sleep(0.1)
    return server


def wait_until_asked(node: str, times: int) -> None:
    """Wait until the model was asked for `node` so often."""
    deadline = time.monotonic() + WITHIN_S
    while calls()["begun"].get(node, 0) < times:
        if time.monotonic() > deadline:
            raise SystemExit(f"Nobody asked the model for {node}: {calls()}")
        time.sleep(0.01)


def wait_for_end(execution_id: str) -> dict[str, Any]:
    """Return the execution once nothing more happens to it."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        found: dict[str, Any] = ask_json(*OMIUM, "executions", "show", execution_id)
        if found["status"] in {"completed", "failed", "cancelled"}:
            return found
        if time.monotonic() > deadline:
            raise SystemExit(f"{execution_id} is still {found['status']}.")
        time.sleep(0.2)


def account(ended: dict[str, Any]) -> None:
    """Say what the model server counted, and hold it against what was promised."""
    assert ended["status"] == "completed", ended
    assert ended["output"]["report"], "the last agent has written something"
    counted = calls()
    say("The model server counted: a call that was cut off is made again, an answer never")
    print(f"{'agent':<10}{'asked':>7}{'answered':>10}")
    for node in NODES:
        print(f"{node:<10}{counted['begun'][node]:>7}{counted['answered'].get(node, 0):>10}")
        assert counted["answered"].get(node) == 1, f"{node} was answered more than once"
        assert counted["begun"][node] <= 2, f"{node} was asked {counted['begun'][node]} times"


if __name__ == "__main__":
    main()
