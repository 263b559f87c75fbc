"""The demo's second part: a real crew of CrewAI is killed while an agent waits for the model, and goes on.

CrewAI has an environment of its own, `.venv-crewai`, because it pins much of what it needs: the crew
(newsroom.py) and the command that goes on with it run there, against the server and the model that run.py has
started. Without that environment (it takes a package index, once) this part says so and is left out.
"""

from __future__ import annotations

import os
from pathlib import Path

from stage import FOLDER, HERE, OMIUM, ask_json, calls, kill_while_it_waits, say, show

TASKS = {"research": "researcher", "write": "writer", "advise": "adviser"}
KILLED_IN = "write"


def kill_a_crew(environment: Path | None) -> None:
    """Run the crew in `environment`, a folder of `make`; kill it in its second task and go on with it."""
    if environment is None or not (environment / ".installed").exists():
        say("A crew of CrewAI would be next; its environment is not here")
        print("`make demo` installs it (about 1 GB, once) when a package index can be reached.")
        return
    os.environ["CREWAI_STORAGE_DIR"] = str(FOLDER / "crewai")
    python = str(environment.resolve() / "bin" / "python")
    killed = TASKS[KILLED_IN]
    say(f"A crew of CrewAI in its own environment, killed with SIGKILL while its {killed} waits")
    kill_while_it_waits([python, str(HERE / "newsroom.py"), "tea"], killed)
    execution_id = str(ask_json(*OMIUM, "executions", "list", "--limit", "1")[0]["id"])
    say("Going on with it: the task that was finished is not done again, its model not asked")
    show(python, "-m", "omium", "resume", execution_id, "--here", "--quiet")
    account(execution_id)


def account(execution_id: str) -> None:
    """Say what the model server counted for the crew, and hold it against what was promised."""
    counted = calls()
    say("What became of it, and what the model server counted")
    show(*OMIUM, "executions", "show", execution_id)
    print(f"\n{'agent':<12}{'asked':>7}{'answered':>10}")
    for task, who in TASKS.items():
        begun = counted["begun"][who]
        print(f"{who:<12}{begun:>7}{counted['answered'].get(who, 0):>10}")
        assert begun == (2 if task == KILLED_IN else 1), f"{who} was asked {begun} times"
        assert counted["answered"].get(who) == 1, f"{who} was answered more than once"
    ended = ask_json(*OMIUM, "executions", "show", execution_id)
    assert ended["status"] == "completed", ended
    assert ended["usage"]["calls"] == len(TASKS), ended["usage"]
