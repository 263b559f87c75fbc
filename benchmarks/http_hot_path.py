"""Durable steps by HTTP over 64 connections, as a share of a constant answer through Starlette.

    python -m benchmarks.http_hot_path [--json] [--rounds 3] [--quick]

Both servers run alone in a process with uvloop and httptools, the load comes from this process. Each
connection writes the steps of an execution of its own: limits, key, JSON, models, fence, digests, a
transaction shared with the others, one sync. The constant server only reads the body.
"""

from __future__ import annotations

import statistics

from benchmarks.load import Loaded, load, make_constant_requests, make_requests, open_constant
from benchmarks.processes import open_server
from benchmarks.rows import Figure, Goal, Options, Rounds, Row, figure_of, run_module

OMIUM, CONSTANT = "Omium", "constant through Starlette"
CONNECTIONS = 64


def measure(options: Options) -> list[Row]:
    """Load both servers in turn."""
    return [
        make_row(
            options,
            name="http_hot_path",
            what="durable step by HTTP, 64 connections",
            goals=(0.40, 20.0),
            bound_by="the CPU of one core: what Python does for every step, part by part below",
        )
    ]


def make_row(
    options: Options,
    *,
    name: str,
    what: str,
    goals: tuple[float, float | None],
    bound_by: str,
    environment: dict[str, str] | None = None,
    wrapper: tuple[str, ...] = (),
) -> Row:
    """Load a server of Omium, started with `environment` under `wrapper`, and a constant one, in turn."""
    connections = int(options.choose(CONNECTIONS, 4))
    seconds = options.choose(3.0, 0.3)
    found: dict[str, list[Loaded]] = {OMIUM: [], CONSTANT: []}

    def load_omium() -> float:
        with open_server(environment, wrapper) as server:
            requests = make_requests(server, connections)
            found[OMIUM].append(load(server.port, server.pid, requests, seconds))
        return found[OMIUM][-1].per_s

    def load_constant() -> float:
        with open_constant() as (port, pid):
            found[CONSTANT].append(load(port, pid, make_constant_requests(connections), seconds))
        return found[CONSTANT][-1].per_s

    rounds = Rounds()
    rounds.run(options.rounds, {OMIUM: load_omium, CONSTANT: load_constant})
    share, p99_limit_ms = goals
    p99_ms = statistics.median(each.p99_ms for each in found[OMIUM])
    cpu_us = {kind: statistics.median(each.cpu_us for each in seen) for kind, seen in found.items()}
    checks = [Goal("share of the constant", rounds.ratio(OMIUM, CONSTANT), share, at_least=True)]
    if p99_limit_ms is not None:
        checks.append(Goal("p99", p99_ms, p99_limit_ms, unit=" ms"))
    return Row(
        name=name,
        what=what,
        unit="requests/s",
        figures=[rounds.figure(OMIUM), rounds.figure(CONSTANT), _p99(found[OMIUM])],
        goals=checks,
        bound_by=bound_by,
        remarks=[
            f"the server's CPU per request: {cpu_us[OMIUM]:.0f} µs, the constant's {cpu_us[CONSTANT]:.0f} µs",
            f"a share of {cpu_us[CONSTANT] / cpu_us[OMIUM]:.2f} by CPU alone",
        ],
    )


def _p99(seen: list[Loaded]) -> Figure:
    return figure_of("Omium's p99 in ms", [each.p99_ms for each in seen])


if __name__ == "__main__":
    run_module(measure, __doc__)
