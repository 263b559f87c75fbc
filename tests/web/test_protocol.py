"""Connections: too slow, too large, too many; each ends with an answer where one can be given."""

import contextlib
import json
import socket
from pathlib import Path

import httpx
import pytest

from omium.clock import ManualClock
from omium.server.settings import ServerSettings
from omium.server.web.metrics import Metrics
from omium.server.web.protocol import ConnectionGuard

PATIENCE_S = 60
DEADLINE_S = "2"  # long beside what a loaded machine takes to send one head


@pytest.fixture
def impatient(make_running_server):
    return make_running_server(
        OMIUM_HEADER_DEADLINE_S=DEADLINE_S,
        OMIUM_BODY_DEADLINE_S=DEADLINE_S,
        OMIUM_BODY_BYTES_PER_S_MIN="1000000",
        OMIUM_CONNECTIONS_MAX="40",
        OMIUM_STREAMS_MAX="10",
    )


@contextlib.contextmanager
def connect(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        yield connection


def read_to_end(connection) -> bytes:
    """Everything until the server closes; fails after `PATIENCE_S` of silence."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            data += chunk
    return data


def read_problem(connection, status: int) -> dict[str, object]:
    head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"application/problem+json" in head
    return json.loads(body)


HEAD = b"POST /v1/keys HTTP/1.1\r\nhost: localhost\r\n"


def test_a_head_that_never_ends_is_refused(impatient):
    with connect(impatient) as connection:
        connection.sendall(HEAD)
        assert read_problem(connection, 408)["code"] == "request-timeout"


def test_a_connection_that_says_nothing_is_closed(impatient):
    with connect(impatient) as connection:
        assert read_to_end(connection) == b""


def test_line_ends_before_a_request_do_not_keep_a_connection_open(impatient):
    with connect(impatient) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        read_to_end(connection)


def test_a_body_that_trickles_is_refused(impatient):
    with connect(impatient) as connection:
        connection.sendall(HEAD + b"content-type: application/json\r\ncontent-length: 1000\r\n\r\n{")
        assert read_problem(connection, 408)["code"] == "request-timeout"


def test_half_open_connections_do_not_keep_others_out(impatient):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(impatient)) for _ in range(38)]
        for connection in slow:
            connection.sendall(HEAD)
        assert httpx.get(f"{impatient.base_url}/healthz", timeout=PATIENCE_S).status_code == 200
        for connection in slow:
            read_to_end(connection)
    assert httpx.get(f"{impatient.base_url}/healthz", timeout=PATIENCE_S).status_code == 200
    shown = httpx.get(f"{impatient.base_url}/metrics", timeout=PATIENCE_S).text
    assert 'omium_connections_refused_total{why="head"}' in shown


def test_too_many_connections_are_told_to_come_later(make_running_server):
    server = make_running_server(OMIUM_CONNECTIONS_MAX="5", OMIUM_STREAMS_MAX="2")
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            held = stack.enter_context(connect(server))
            held.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert held.recv(65_536).startswith(b"HTTP/1.1 200")
        with connect(server) as refused:
            assert read_problem(refused, 503)["retryable"] is True


def test_a_head_that_is_too_large_is_refused(running_server):
    with connect(running_server) as connection:
        with contextlib.suppress(OSError):
            for number in range(100):
                connection.sendall(b"%s: %s\r\n" % (b"x-%d" % number, b"a" * 1_000) if number else HEAD)
        assert read_problem(connection, 431)["code"] == "headers-too-large"


def test_a_large_head_in_one_piece_is_refused_and_a_large_body_is_not(running_server):
    with connect(running_server) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(HEAD + b"x-long: " + b"a" * 70_000 + b"\r\n\r\n")
        assert read_problem(connection, 431)["code"] == "headers-too-large"
    reply = httpx.post(
        f"{running_server.base_url}/v1/keys",
        json={"name": "a" * 200_000},
        headers={**running_server.headers, "Idempotency-Key": "k"},
        timeout=PATIENCE_S,
    )
    assert reply.status_code == 400


def test_what_is_no_http_gets_a_problem(running_server):
    with connect(running_server) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert read_problem(connection, 400)["code"] == "invalid-request"


def test_a_refused_large_body_is_answered_before_the_connection_closes(running_server):
    body = b"x" * (17 * 2**20)
    reply = httpx.post(
        f"{running_server.base_url}/v1/keys",
        content=body,
        headers={**running_server.headers, "content-type": "application/json", "Idempotency-Key": "k"},
        timeout=PATIENCE_S,
    )

    assert reply.status_code == 413
    assert reply.json()["code"] == "payload-too-large"


def test_a_client_that_reads_nothing_is_cut_off_by_the_guard():
    clock, counted = ManualClock(), Metrics()
    guard = ConnectionGuard(ServerSettings(data=Path("unused")), clock, counted)
    connection = Unread(clock.boot_us())
    assert guard.admit(connection)

    clock.advance(seconds=29)
    guard.check()
    assert not connection.transport.aborted
    clock.advance(seconds=2)
    guard.check()
    assert connection.transport.aborted


def test_one_address_has_only_so_many_connections():
    guard = ConnectionGuard(
        ServerSettings(data=Path("unused"), connections_per_address_max=2), ManualClock(), Metrics()
    )
    first, *others = [Unread(0, address) for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")]
    local = [Unread(0, "127.0.0.1") for _ in range(5)]

    assert guard.admit(first)
    assert [guard.admit(connection) for connection in others] == [True, False, True]
    assert all(guard.admit(connection) for connection in local)
    guard.release(first)
    assert guard.admit(others[1])


class Unread:
    """A connection whose answer nobody reads, as the guard sees it."""

    head_since_us = body_since_us = None

    class Transport:
        aborted = False

        def abort(self):
            self.aborted = True

    def __init__(self, since_us, address="192.0.2.1"):
        self.unread_since_us = since_us
        self.address = address
        self.transport = self.Transport()


def test_requests_in_a_row_on_one_connection(running_server):
    ask = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with connect(running_server) as connection:
        connection.sendall(ask * 3 + ask.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert read_to_end(connection).count(b"HTTP/1.1 200") == 4


def test_a_client_that_waits_for_a_word_hears_the_refusal_instead(running_server):
    waiting = HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\ncontent-type: application/json\r\n"
    key = b"authorization: Bearer " + running_server.api_key.encode() + b"\r\nconnection: close\r\n"
    with connect(running_server) as connection:
        connection.sendall(waiting + b"\r\n")
        assert read_problem(connection, 401)["code"] == "unauthenticated"
    with connect(running_server) as connection:
        connection.sendall(waiting + key + b"\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
        connection.sendall(b"{}")
        assert b"HTTP/1.1 400" in read_to_end(connection)


def test_a_websocket_is_answered_as_plain_http(running_server):
    with connect(running_server) as connection:
        connection.sendall(
            b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\n"
            b"upgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\n"
        )
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
