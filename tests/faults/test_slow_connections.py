"""Connections that never finish are closed after their time; others are served as if they were not there."""

import contextlib
import socket
import time

import httpx
import pytest

from tests.faults.patience import PATIENCE_S, busy

CONNECTIONS = 280
OPEN_MAX_S = 30  # thirty times the deadlines: closing 280 at once takes its time
DEADLINES = {
    "OMIUM_HEADER_DEADLINE_S": "1",
    "OMIUM_BODY_DEADLINE_S": "1",
    "OMIUM_BODY_BYTES_PER_S_MIN": "1000",
}
HEAD = b"POST /v1/keys HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
SLOW = {
    "says nothing": (b"", b""),
    "stops in its head": (HEAD, b""),
    "goes on with its head for ever": (HEAD, b"x-more: 1\r\n"),
    "sends line ends": (b"\r\n", b"\r\n"),
    "stops before its body": (HEAD + b"content-length: 1000\r\n\r\n", b""),
    "trickles its body": (HEAD + b"content-length: 1000000\r\n\r\n{", b" "),
    "trickles chunks": (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n \r\n"),
    "says hello in another protocol": (b"\x16\x03\x01\x02\x00\x01\x00", b"\x00"),
}


def hold_connections(gate, running, connections: int) -> None:
    """Hold slow connections, ask as others do meanwhile, and look whether they are closed."""
    kinds = list(SLOW.items())
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(
            httpx.Client(base_url=running.base_url, headers=running.headers, timeout=PATIENCE_S)
        )
        assert other.get("/v1/whoami").status_code == 200
        held = []
        for number in range(connections):
            kind, (opening, more) = kinds[number % len(kinds)]
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_S)
            )
            with contextlib.suppress(OSError):
                connection.sendall(opening)
            held.append((kind, connection, more))
        began_s = time.monotonic()
        while held and time.monotonic() < began_s + OPEN_MAX_S * busy():
            held = [each for each in held if is_open(*each)]
            gate.lost(other.get("/v1/whoami").status_code != 200, "another client was refused")
            if gate.bug is not None and time.monotonic() > began_s + 3:
                break
            time.sleep(0.1)
        kept = sorted({kind for kind, _, _ in held})
        gate.lost(len(held), f"{len(held)} of {connections} are still open, of those that {kept}")
        gate.tried(connections, "connections")
    with httpx.Client(base_url=running.base_url, timeout=PATIENCE_S) as afterwards:
        for _ in range(100):
            if (left := count_open(afterwards)) <= 1:  # the one that asks
                break
            time.sleep(0.1)
        gate.lost(left > 1, f"the server counts {left} open connections")


def is_open(_kind: str, connection: socket.socket, more: bytes) -> bool:
    """Send a little more, where there is more, and say whether the server has not closed it yet."""
    connection.setblocking(False)
    try:
        with contextlib.suppress(BlockingIOError):  # nothing to read
            while connection.recv(65_536):
                pass
            return False
        with contextlib.suppress(BlockingIOError):
            connection.send(more)
    except OSError:
        return False
    return True


def count_open(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    (counted,) = [line for line in lines if line.startswith("omium_connections_open ")]
    return round(float(counted.split()[1]))


@pytest.mark.gate(
    promise="Connections that never finish a request are closed after their time, and nobody else notices.",
    fault="Eight kinds of slow and half-open connections, 280 at once.",
)
def test_half_open_connections_are_gone_and_others_do_not_notice(gate, serve):
    running = serve(**DEADLINES)
    for _ in gate.paced(short=1, long=50):
        hold_connections(gate, running, CONNECTIONS)


@pytest.mark.planted(bug="No deadline", gate="test_half_open_connections_are_gone_and_others_do_not_notice")
def test_the_gate_catches_a_server_without_deadlines(trial, serve):
    hold_connections(trial, serve(bug="no-deadline", **DEADLINES), 16)
