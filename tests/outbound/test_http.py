"""What leaves the server for others goes only where it may, and comes back in time and in bounds."""

import socket
import ssl

import pytest

from omium.server.outbound import http
from omium.server.outbound.addresses import TargetRefused, check_addresses
from omium.server.outbound.http import GuardedClient, SendFailed
from omium.server.tls import load_certificate
from tests.alerts.targets import open_target
from tests.serverfixture import test_settings

NONE = frozenset[str]()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",  # an address to refuse
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::80ff:fffe",
    ],
)
def test_addresses_inside_are_refused_in_every_spelling(address):
    with pytest.raises(TargetRefused):
        check_addresses("hook.example.com", 443, [address], NONE)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_fine(address):
    assert check_addresses("hook.example.com", 443, [address], NONE) == [address]


def test_one_bad_address_among_good_ones_is_enough():
    with pytest.raises(TargetRefused):
        check_addresses("hook.example.com", 443, ["93.184.216.34", "10.0.0.1"], NONE)


def test_the_operator_allows_exactly_one_port_of_one_host():
    allowed = frozenset({"hook.internal:8080"})

    assert check_addresses("hook.internal", 8080, ["10.0.0.1"], allowed) == ["10.0.0.1"]
    for host, port in (("hook.internal", 8081), ("other.internal", 8080)):
        with pytest.raises(TargetRefused):
            check_addresses(host, port, ["10.0.0.1"], allowed)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1"])
def test_link_local_addresses_are_refused_whatever_the_operator_allows(address):
    with pytest.raises(TargetRefused):
        check_addresses("metadata", 80, [address], frozenset({"metadata:80"}))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/hook",
        "file:///etc/passwd",
        "https://user:pass@example.com/",
        "https:///hook",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nx: y",
        "//example.com/",
        "https://[::1",
    ],
)
def test_addresses_of_another_form_are_refused(url):
    with pytest.raises(TargetRefused):
        GuardedClient().check_url(url)


async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent():
    async with open_target() as target:
        client = GuardedClient()
        with pytest.raises(TargetRefused, match="private"):
            await client.post(f"https://localhost:{target.port}/", b"{}", {})
        assert target.received == []


@pytest.mark.parametrize("host", ["hook..example.com", f"{'x' * 64}.example.com"])
async def test_a_name_that_no_host_can_have_is_refused_in_a_sentence(host):
    with pytest.raises(TargetRefused, match="no name that a host can have"):
        await GuardedClient().post(f"https://{host}/", b"{}", {})


async def test_what_was_judged_is_what_is_connected_to(monkeypatch):
    """A name that changes its mind after it was judged: the second answer is never asked for."""
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(http, "_resolve", resolve)

    def rebound(*_args, **_kwargs):
        raise AssertionError("resolved a second time")

    async with open_target() as target:
        client = GuardedClient([f"hook.internal:{target.port}"])
        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        taken = await client.post(f"http://hook.internal:{target.port}/x", b"{}", {"a": "b"})

        assert taken.status == 200
        assert asked == ["hook.internal"]
        assert target.received[0].headers["host"] == f"hook.internal:{target.port}"


async def test_redirects_are_answers_and_are_not_followed():
    async with open_target() as target, open_target() as inside:
        target.status, target.extra = "302 Found", f"location: {inside.url}\r\n"
        taken = await GuardedClient([target.allowed, inside.allowed]).post(target.url, b"{}", {})

        assert taken.status == 302
        assert inside.received == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    async with open_target() as target:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert (await GuardedClient([target.allowed]).post(target.url, b"{}", {})).status == 200


async def test_a_target_that_never_answers_is_given_up_in_time():
    async with open_target() as target:
        target.hold.clear()
        with pytest.raises(SendFailed, match="did not answer within"):
            await GuardedClient([target.allowed], timeout_s=0.2).post(target.url, b"{}", {})


async def test_an_endless_answer_is_not_read_to_its_end():
    async with open_target() as target:
        target.body = b"x" * 5_000_000
        taken = await GuardedClient([target.allowed], timeout_s=30).post(target.url, b"{}", {})

        assert taken.status == 200
        assert taken.body == b"x" * http.ANSWER_BYTES_MAX
        assert not taken.complete


@pytest.mark.parametrize(
    ("header", "asked_s"),
    [
        ("7", 7.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("9999999", 86_400.0),
        ("-1", None),
        ("soon", None),
        ("", None),
    ],
)
def test_how_long_a_target_asks_to_wait_is_read_as_seconds_or_as_a_date(header, asked_s):
    answer = http.Answer(503, (("retry-after", header),), b"")

    assert answer.retry_after_s(1_800_000_000_000_000) == asked_s


async def test_nobody_there_is_said_in_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SendFailed, match=r"127\.0\.0\.1 could not be reached"):
            await GuardedClient([f"127.0.0.1:{port}"]).post(f"http://127.0.0.1:{port}/", b"{}", {})


async def test_certificates_are_judged_by_the_systems_list_or_the_operators(tmp_path):
    certificate = load_certificate(test_settings(tmp_path, tls=True))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    async with open_target(context) as target:
        url = target.url.replace("http://", "https://")
        with pytest.raises(SendFailed, match="certificate verify failed"):
            await GuardedClient([target.allowed]).post(url, b"{}", {})
        assert target.received == []

        client = GuardedClient([target.allowed], ca_file=str(certificate.authority_file))
        assert (await client.post(url, b"{}", {})).status == 200
