"""Starts by HTTP with a key's cap and a hold, as a share of the same starts on a server that does not meter.

    python -m benchmarks.metered_start [--json] [--rounds 3] [--quick]

Each request begins another execution of a local driver: key, JSON, models, four rows, one sync; metered also
the price book's version, the hold of the tenant's funds and the key's cap, and the meter. 64 connections.
"""

from __future__ import annotations

import json
import statistics

from benchmarks.load import DIGEST, Exchange, Loaded, load
from benchmarks.processes import Server, open_server
from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from omium.clock import SystemClock
from omium.ids import new_id

METERED, FREE = "metered, the key capped", "not metered"
CONNECTIONS = 64


def measure(options: Options) -> list[Row]:
    """Load both servers in turn."""
    connections = int(options.choose(CONNECTIONS, 4))
    seconds = options.choose(3.0, 0.3)
    found: dict[str, list[Loaded]] = {METERED: [], FREE: []}

    def load_server(kind: str) -> float:
        with open_server({"OMIUM_METERING": "true" if kind == METERED else "false"}) as server:
            key = make_capped_key(server) if kind == METERED else server.api_key
            exchanges = [start_executions(key) for _ in range(connections)]
            found[kind].append(load(server.port, server.pid, exchanges, seconds))
        return found[kind][-1].per_s

    rounds = Rounds()
    rounds.run(options.rounds, {METERED: lambda: load_server(METERED), FREE: lambda: load_server(FREE)})
    cpu_us = {kind: statistics.median(each.cpu_us for each in seen) for kind, seen in found.items()}
    return [
        Row(
            name="metered_start",
            what="metered, authenticated start (key, cap, hold), 64 connections",
            unit="starts/s",
            figures=[rounds.figure(METERED), rounds.figure(FREE)],
            goals=[Goal("share of the same without", rounds.ratio(METERED, FREE), 0.75, at_least=True)],
            bound_by="the CPU of one core; the hold is five short statements more in the same transaction",
            remarks=[
                f"the server's CPU per start: {cpu_us[METERED]:.0f} µs, not metered {cpu_us[FREE]:.0f} µs",
                f"a share of {cpu_us[FREE] / cpu_us[METERED]:.2f} by CPU alone",
            ],
        )
    ]


def make_capped_key(server: Server) -> str:
    """Return a key with a cap that is never reached: every hold counts for it."""
    made = server.post("/v1/keys", {"name": "capped", "scopes": ["run"], "spend_cap_credits": 1_000_000})
    return str(made["api_key"])


def start_executions(api_key: str) -> Exchange:
    """Return the endless exchange that begins one execution after the other."""
    clock = SystemClock()
    command = {
        "id": "ID",
        "workflow": "bench",
        "driver": "local",
        "input": {"number": 1},
        "input_digest": DIGEST,
        "lease_token": "t" * 32,
    }
    before, after = json.dumps(command).encode().split(b"ID", 1)
    length = len(before) + len(after) + len(new_id("ex", clock.now_us()))
    head = (
        b"POST /v1/executions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\nuser-agent: bench\r\ncontent-length: %d\r\n\r\n"
    ) % (api_key.encode(), length)
    while True:
        yield b"%b%b%b%b" % (head, before, new_id("ex", clock.now_us()).encode(), after)


if __name__ == "__main__":
    run_module(measure, __doc__)
