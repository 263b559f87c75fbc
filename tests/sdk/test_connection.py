"""Connections: kept open, replaced when the server closed them, never mixed up, clear about what failed."""

import asyncio
import datetime as dt
import ipaddress
import os
import signal
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from omium import __version__
from omium.clock import ManualClock, SystemClock
from omium.errors import ConfigError, ConnectionLost
from omium.sdk.async_connection import AsyncConnections
from omium.sdk.connection import Connections
from omium.sdk.flows import Http
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.tls import normalise_pin
from omium.sdk.wire import Target, encode_request, make_target
from tests.sdk.loopback import Loopback


class SyncPool:
    def __init__(self, target, clock):
        self.pool = Connections(target, clock=clock)
        self.http = self.pool.http

    def together(self, requests):
        threads = [threading.Thread(target=self.pool.http, args=(request,)) for request in requests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    def close(self):
        self.pool.close()


class AsyncPool:
    def __init__(self, target, clock):
        self.runner = asyncio.Runner()
        self.pool = AsyncConnections(target, clock=clock)

    def http(self, request):
        return self.runner.run(self.pool.http(request))

    def together(self, requests):
        async def gather():
            await asyncio.gather(*(self.pool.http(request) for request in requests))

        self.runner.run(gather())

    def close(self):
        self.runner.run(self.pool.close())
        self.runner.close()


@pytest.fixture
def server():
    with Loopback() as loopback:
        yield loopback


@pytest.fixture(params=[SyncPool, AsyncPool])
def connect(request):
    opened = []

    def open_pool(server, clock=SYSTEM_CLOCK, **options):
        base_url = server if isinstance(server, str) else server.base_url
        opened.append(request.param(make_target(base_url, **options), clock))
        return opened[-1]

    yield open_pool
    for pool in opened:
        pool.close()


def get(path="/v1/status", **options) -> Http:
    return Http("GET", path, **{"timeout_s": 20, **options})


def test_a_request_carries_key_body_and_headers(server, connect):
    pool = connect(server, api_key="om_test_key")
    before_us = SystemClock().boot_us()
    answer = pool.http(
        Http("POST", "/v1/x?a=%20", b'{"a":1}', {"content-type": "application/json"}, "idem-1", 20)
    )
    assert (answer.status, answer.body) == (200, b'{"ok": true}')
    assert before_us <= answer.sent_us <= SystemClock().boot_us()
    method, path, headers, body = server.requests[0]
    assert (method, path, body) == ("POST", "/v1/x?a=%20", b'{"a":1}')
    assert headers["authorization"] == "Bearer om_test_key"
    assert headers["idempotency-key"] == "idem-1"
    assert headers["host"] == f"127.0.0.1:{server.port}"


def test_the_time_of_sending_is_not_the_time_of_the_answer(server, connect):
    clock = ManualClock()
    sent_us = clock.boot_us()

    def answer_late(*_):
        clock.advance(60)
        return 200, None

    server.handler = answer_late
    assert connect(server, clock).http(get()).sent_us == sent_us < clock.boot_us()


def test_the_path_of_the_address_stands_before_every_path(server, connect):
    connect(f"{server.base_url}/omium/").http(get())
    assert server.requests[0][1] == "/omium/v1/status"


def test_requests_one_after_the_other_share_a_connection(server, connect):
    pool = connect(server)
    for _ in range(5):
        assert pool.http(get()).status == 200
    assert server.connections == 1


def test_requests_at_once_have_a_connection_each(server, connect):
    all_are_there = threading.Barrier(3)

    def answer_together(*_):
        all_are_there.wait(60)
        return 200, None

    server.handler = answer_together
    connect(server).together([get("/a"), get("/b"), get("/c")])
    assert server.connections == 3


def test_what_two_dozen_requests_at_once_opened_is_kept_for_the_next_two_dozen(server, connect):
    requests = [get(f"/{number}") for number in range(24)]
    all_are_there = threading.Barrier(len(requests))

    def answer_together(*_):
        all_are_there.wait(60)
        return 200, None

    server.handler = answer_together
    pool = connect(server)
    for _ in range(2):
        pool.together(requests)

    assert server.connections == 24


def test_a_connection_that_the_server_closed_while_idle_is_replaced_without_a_word(server, connect):
    pool = connect(server)
    pool.http(get())
    server.close_connections()
    assert pool.http(get()).status == 200
    assert server.connections == 2


def test_a_connection_that_breaks_as_the_request_goes_out_is_replaced_once(server, connect):
    pool = connect(server)
    pool.http(get())
    server.script = [Loopback.DROP]
    assert pool.http(get()).status == 200
    server.script = [Loopback.DROP, Loopback.DROP]
    with pytest.raises(ConnectionLost, match="broke"):
        pool.http(get())


def test_a_fresh_connection_that_breaks_is_not_tried_again_here(server, connect):
    server.script = [Loopback.DROP]
    with pytest.raises(ConnectionLost):
        connect(server).http(get())
    assert len(server.requests) == 1


def test_an_answer_that_asks_to_close_is_obeyed(server, connect):
    server.handler = lambda *_: b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
    pool = connect(server)
    assert pool.http(get()).body == b"ok"
    pool.http(get())
    assert server.connections == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nCONTENT-LENGTH: 5\r\n\r\nabcde",
    ],
)
def test_every_form_of_answer_is_read(server, connect, raw):
    server.script = [raw, raw]
    pool = connect(server)
    assert pool.http(get()).body == b"abcde"
    assert pool.http(get()).status == 200
    assert server.connections == 1


def test_an_empty_answer_has_an_empty_body(server, connect):
    server.script = [b"HTTP/1.1 204 No Content\r\n\r\n"]
    answer = connect(server).http(Http("POST", "/v1/x", timeout_s=20))
    assert (answer.status, answer.body) == (204, b"")
    assert server.requests[0][2]["content-length"] == "0"


@pytest.mark.parametrize(
    "raw", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"]
)
def test_what_is_not_http_is_a_lost_connection(server, connect, raw):
    server.script = [raw]
    with pytest.raises(ConnectionLost, match="not HTTP"):
        connect(server).http(get())


def test_an_answer_cut_short_is_a_lost_connection(server, connect):
    server.handler = lambda *_: b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nab"
    server.script = [Loopback.CLOSE]
    with pytest.raises(ConnectionLost, match="broke"):
        connect(server).http(get())


def test_an_answer_beyond_all_bounds_is_refused(server, connect, monkeypatch):
    monkeypatch.setattr("omium.sdk.wire.ANSWER_BYTES_MAX", 1000)
    server.script = [b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000]
    with pytest.raises(ConnectionLost, match="larger"):
        connect(server).http(get())


def test_a_late_answer_is_a_lost_connection_and_never_anothers_answer(server, connect):
    go_on = threading.Event()
    server.script = [go_on]
    pool = connect(server)
    with pytest.raises(ConnectionLost, match=r"did not answer within 0\.2 s"):
        pool.http(get("/late", timeout_s=0.2))
    go_on.set()
    server.handler = lambda method, path, *_: (200, path)
    assert pool.http(get("/next")).body == b'"/next"'


def test_nobody_listening_is_said_with_the_remedy(connect):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionLost) as caught:
        connect(f"http://127.0.0.1:{port}").http(get())
    assert str(caught.value) == (
        f"No Omium server answers at http://127.0.0.1:{port}; start one with `omium serve`,"
        " or set OMIUM_BASE_URL."
    )


async def test_a_cancelled_request_does_not_leave_its_answer_to_the_next(server):
    go_on = threading.Event()
    server.script = [go_on]
    server.handler = lambda method, path, *_: (200, path)
    pool = AsyncConnections(Target(server.base_url))
    first = asyncio.create_task(pool.http(get("/first")))
    while not server.requests:  # noqa: ASYNC110  # the server is a thread
        await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert (await pool.http(get("/second"))).body == b'"/second"'
    await pool.close()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8720", "ftp://x", "http://", "http://u:p@x", "http://x?a=1", "http://x:y"]
)
def test_what_is_no_address_is_said_at_once(url):
    with pytest.raises(ConfigError, match="address"):
        Target(url)


def test_a_key_with_a_line_break_cannot_add_a_header():
    with pytest.raises(ConfigError, match="authorization"):
        Target("http://127.0.0.1", "key\r\nx-admin: 1")


@pytest.mark.parametrize("path", ["/a b", "/a\r\nx: y", "/ä"])
def test_a_path_that_is_not_encoded_is_a_mistake_of_the_caller(server, connect, path):
    with pytest.raises(ValueError, match="percent-encoded"):
        connect(server).http(get(path))


def test_the_key_is_not_shown_where_a_target_is_printed():
    assert "om_secret" not in repr(Target("http://127.0.0.1", "om_secret"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_a_connection_of_its_own(server):
    server.handler = lambda method, path, *_: (200, path)
    pool = Connections(Target(server.base_url))
    pool.http(get())
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if pool.http(get("/child")).body == b'"/child"' else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pool.http(get("/parent")).body == b'"/parent"'
    assert server.connections == 2
    pool.close()


# TLS: a local authority as `omium serve --tls` makes one.


def make_certificate(name, issuer=None, *, authority=False, address="127.0.0.1"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


@pytest.fixture(scope="module")
def authority():
    return make_certificate("Omium local CA", authority=True)


def serve_tls(tmp_path, authority, address="127.0.0.1"):
    leaf, key = make_certificate("omium", authority, address=address)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(
        pem(leaf)
        + pem(authority[0])
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Loopback(tls=context), leaf


def test_the_pinned_authority_is_trusted_and_the_connection_kept(tmp_path, authority, connect):
    server, _ = serve_tls(tmp_path, authority)
    with server:
        pool = connect(server, tls_pin=f"SHA256:{fingerprint(authority[0]).upper()}")
        for _ in range(3):
            assert pool.http(get()).status == 200
        assert server.connections == 2, "one to see the certificate, one to talk"


def test_a_pinned_leaf_is_trusted_too(tmp_path, authority, connect):
    server, leaf = serve_tls(tmp_path, authority)
    with server:
        assert connect(server, tls_pin=fingerprint(leaf)).http(get()).status == 200


def test_an_authority_file_is_trusted(tmp_path, authority, connect):
    server, _ = serve_tls(tmp_path, authority)
    (tmp_path / "ca.pem").write_bytes(pem(authority[0]))
    with server:
        assert connect(server, ca_file=str(tmp_path / "ca.pem")).http(get()).status == 200


def test_another_certificate_than_the_pinned_one_gets_no_request(tmp_path, authority, connect):
    server, _ = serve_tls(tmp_path, make_certificate("Somebody else", authority=True))
    with server, pytest.raises(ConfigError, match="another certificate"):
        connect(server, api_key="k", tls_pin=fingerprint(authority[0])).http(get())
    assert server.requests == []


def test_a_pin_does_not_excuse_another_name(tmp_path, authority, connect):
    server, _ = serve_tls(tmp_path, authority, address="127.0.0.2")
    with server, pytest.raises(ConnectionLost, match="not trusted"):
        connect(server, api_key="k", tls_pin=fingerprint(authority[0])).http(get())
    assert server.requests == []


def test_an_unknown_authority_is_refused_with_the_remedy(tmp_path, authority, connect):
    server, _ = serve_tls(tmp_path, authority)
    with server, pytest.raises(ConnectionLost, match="OMIUM_TLS_PIN"):
        connect(server, api_key="k").http(get())
    assert server.requests == []


def test_a_pin_for_a_server_without_tls_is_a_mistake():
    with pytest.raises(ConfigError, match="not encrypted"):
        make_target("http://127.0.0.1", tls_pin="0" * 64)


@pytest.mark.parametrize("text", ["ab" * 32, "AB" * 32, "sha256:" + "ab" * 32, ":".join(["ab"] * 32)])
def test_a_fingerprint_is_read_in_every_usual_form(text):
    assert normalise_pin(text) == "ab" * 32


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "md5:" + "ab" * 16])
def test_what_is_no_fingerprint_is_refused(text):
    with pytest.raises(ConfigError, match="64 hexadecimal"):
        normalise_pin(text)


def test_every_request_says_whose_it_is():
    head = encode_request(make_target("http://localhost:1"), Http("GET", "/v1/whoami"))

    assert f"user-agent: omium-os/{__version__}\r\n".encode() in head
