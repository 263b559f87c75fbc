"""Durable steps by HTTP over 64 connections on PostgreSQL, as a share of the same on SQLite.

    python -m benchmarks.postgres_against_sqlite [--json] [--rounds 3] [--quick]

The same server, the same load, both databases with their syncs on the same disk. Each connection writes the
steps of an execution of its own and waits for each answer.
"""

from __future__ import annotations

import statistics

from benchmarks.load import Loaded, load, make_requests
from benchmarks.postgres import open_postgres
from benchmarks.processes import open_server
from benchmarks.rows import Goal, Options, Rounds, Row, figure_of, run_module

POSTGRES, SQLITE = "PostgreSQL", "SQLite"
CONNECTIONS = 64


def measure(options: Options) -> list[Row]:
    """Load a server on each of the databases in turn."""
    connections = int(options.choose(CONNECTIONS, 4))
    seconds = options.choose(3.0, 0.3)
    found: dict[str, list[Loaded]] = {POSTGRES: [], SQLITE: []}

    def load_server(kind: str, environment: dict[str, str]) -> float:
        with open_server(environment) as server:
            requests = make_requests(server, connections)
            found[kind].append(load(server.port, server.pid, requests, seconds))
        return found[kind][-1].per_s

    with open_postgres() as postgres:

        def load_postgres() -> float:
            return load_server(POSTGRES, {"OMIUM_DATABASE_URL": postgres.url(postgres.create_database())})

        rounds = Rounds()
        rounds.run(options.rounds, {POSTGRES: load_postgres, SQLITE: lambda: load_server(SQLITE, {})})
    cpu_us = {kind: statistics.median(each.cpu_us for each in seen) for kind, seen in found.items()}
    p99s = [figure_of(f"{kind}'s p99 in ms", [each.p99_ms for each in seen]) for kind, seen in found.items()]
    return [
        Row(
            name="postgres_against_sqlite",
            what="durable step by HTTP, 64 connections, by database",
            unit="requests/s",
            figures=[rounds.figure(POSTGRES), rounds.figure(SQLITE), *p99s],
            goals=[Goal("share of SQLite", rounds.ratio(POSTGRES, SQLITE), 0.8, at_least=True)],
            bound_by="the CPU: on two cores PostgreSQL's own processes compete with the server and the load",
            remarks=[
                f"the server's CPU per request: {cpu_us[POSTGRES]:.0f} µs, on SQLite {cpu_us[SQLITE]:.0f} µs"
            ],
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)
