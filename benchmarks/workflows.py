"""The work W beside its peers: shared by the rows for one workflow at a time, for 32, and for a slow disk.

Owns how each contender is started in a fresh folder. What it does there is in `contenders/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.postgres import make_absurd_database, open_postgres
from benchmarks.processes import (
    INSTALL_PEERS,
    RESTATE_SERVER,
    open_folder,
    open_server,
    run_contender,
)
from benchmarks.rows import Missing
from tests.postgres import Server as PostgresServer

OMIUM, FLOOR = "Omium", "SQLite in process (floor)"
DBOS, LANGGRAPH = "DBOS on SQLite, WAL", "LangGraph SqliteSaver"
ABSURD, RESTATE = "absurd on PostgreSQL", "Restate"

Contenders = dict[str, Callable[[], float]]


@dataclass(frozen=True, slots=True)
class Work:
    """How long, how many beside each other, and on what disk: words before a command, and variables."""

    seconds: float
    at_once: int
    wrapper: Sequence[str] = ()
    environment: Mapping[str, str] | None = None

    @property
    def arguments(self) -> dict[str, object]:
        """What every contender is told."""
        return {"seconds": self.seconds, "at_once": self.at_once}


def run_omium(work: Work) -> float:
    """Steps per second of the SDK in a process of its own, with a fresh server."""
    with open_server(work.environment, work.wrapper) as server:
        found = run_contender("omium_steps", work.arguments, environment=server.client_environment)
    return found["steps_per_s"]


def run_floor(work: Work) -> float:
    """Steps per second of bare commits."""
    return _run_in_folder("floor", work, peer=False)


def run_dbos(work: Work) -> float:
    """Steps per second of DBOS on SQLite."""
    return _run_in_folder("dbos_steps", work, peer=True)


def run_langgraph(work: Work) -> float:
    """Steps per second of a LangGraph chain with its saver."""
    return _run_in_folder("langgraph_steps", work, peer=True)


def run_restate(work: Work) -> float:
    """Steps per second of Restate, its server included."""
    if not RESTATE_SERVER.exists():
        raise Missing(f"{INSTALL_PEERS} (needs npm)")
    with open_folder() as folder:
        arguments = {**work.arguments, "folder": folder, "server": RESTATE_SERVER}
        return run_contender("restate_steps", arguments, peer=True)["steps_per_s"]


def run_absurd(work: Work, postgres: Callable[[], PostgresServer]) -> float:
    """Steps per second of absurd; the server of PostgreSQL stays between rounds, the database is fresh."""
    arguments = {**work.arguments, "url": make_absurd_database(postgres())}
    return run_contender("absurd_steps", arguments, peer=True)["steps_per_s"]


def contenders(work: Work, postgres: Callable[[], PostgresServer], *, peers: bool) -> Contenders:
    """Return who does `work`, by name: Omium and the floor, and with `peers` the others."""
    ours: Contenders = {OMIUM: lambda: run_omium(work), FLOOR: lambda: run_floor(work)}
    others: Contenders = {
        DBOS: lambda: run_dbos(work),
        ABSURD: lambda: run_absurd(work, postgres),
        LANGGRAPH: lambda: run_langgraph(work),
        RESTATE: lambda: run_restate(work),
    }
    return ours | others if peers else ours


def _run_in_folder(module: str, work: Work, *, peer: bool) -> float:
    with open_folder() as folder:
        found = run_contender(
            module,
            {**work.arguments, "folder": folder},
            peer=peer,
            wrapper=work.wrapper,
            environment=work.environment,
        )
    return found["steps_per_s"]


class LazyPostgres:
    """Starts a server when it is first asked for; `Missing` comes again each time."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._server: PostgresServer | None = None

    def __call__(self) -> PostgresServer:
        """Return the running server."""
        if self._server is None:
            self._server = self._stack.enter_context(open_postgres())
        return self._server
