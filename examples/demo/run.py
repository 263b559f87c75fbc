"""The demo: a real agent graph is killed in its middle, goes on, fails, is patched and replayed; then a crew.

    make demo

Starts a small language model, an Omium server and a LangGraph graph, all on this machine and without a
network. Everything that is said about calls comes from the model server's own counter, everything about
credits from the ledger. The crew (crew.py) runs in the environment that is named on the command line, and is
left out where there is none. Files stay in .demo/.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from crew import kill_a_crew
from stage import (
    FOLDER,
    HERE,
    OMIUM,
    ask_json,
    calls,
    free_port,
    kill_while_it_waits,
    running,
    say,
    show,
)

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
        kill_a_crew(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
        print(f"\nDone in {time.monotonic() - began:.0f} s. The files are in {FOLDER.name}/.")
        offer_dashboard(port)


def offer_dashboard(port: int) -> None:
    """Open the dashboard on what the demo has left, if a person wants it; say how it is opened later."""
    say("Look at all of it in the dashboard")
    if sys.stdin.isatty() and sys.stdout.isatty():
        print("\nOpen the dashboard now? [y/N] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            subprocess.run([*OMIUM, "tui"], check=False)
    program = Path(sys.executable).parent / "omium"
    omium = str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)
    folder, url = FOLDER.relative_to(FOLDER.parent), os.environ["OMIUM_BASE_URL"]
    print(
        f"\nThe server ends with the demo. Later, in {FOLDER.parent.name}/:\n\n"
        f"  OMIUM_CONFIG_DIR={folder}/config {omium} serve --data {folder}/data --port {port} &\n"
        f"  OMIUM_CONFIG_DIR={folder}/config OMIUM_BASE_URL={url} {omium} tui"
    )


def killed_halfway() -> str:
    """Start the graph, kill it with SIGKILL while an agent waits for the model; return the execution's id."""
    say(f"Running seven nodes, and killing the process with SIGKILL while `{KILLED_IN}` waits for the model")
    kill_while_it_waits([sys.executable, str(HERE / "research.py"), "durable agents"], KILLED_IN)
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


if __name__ == "__main__":
    main()
