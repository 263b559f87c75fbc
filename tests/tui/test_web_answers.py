"""What browsers are answered, in every case: headers, names, caps, and messages that no terminal sends."""

import asyncio
import json

import aiohttp
import pytest

from omium.tui.web.gate import COOKIE, DASHBOARDS_PER_SESSION_MAX, Gate, make_origin
from omium.tui.web.server import FORM_BYTES_MAX, HEADERS
from omium.tui.web.wire import COLUMNS_MAX, LINES_MAX, pass_on
from tests.tui.served_web import serve_web

BEYOND = 10**400
UTF16_HALF = "\ud800"


# ------------------------------------------------------------------------------ names
@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://dash.example.com", "https://dash.example.com"),
        ("https://dash.example.com:443/", "https://dash.example.com"),
        ("HTTPS://Dash.Example.COM", "https://dash.example.com"),
        ("http://dash.example.com:80", "http://dash.example.com"),
        ("http://dash.example.com:443", "http://dash.example.com:443"),
        ("https://dash.example.com:8443", "https://dash.example.com:8443"),
        ("http://[2001:DB8::1]:80", "http://[2001:db8::1]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_taken_as_browsers_write_it(given, origin):
    assert make_origin(given) == origin
    gate = Gate([given], lambda: 0.0)
    host = origin.partition("://")[2]
    gate.check_address([host], [origin], origin_needed=True)
    assert gate.origin_under(host) == origin


@pytest.mark.parametrize(
    "given",
    [
        "dash.example.com",
        "ftp://dash.example.com",
        "https://",
        "https://dash.example.com/app",
        "https://dash.example.com?x",
        "https://dash.example.com/#x",
        "https://ada@dash.example.com",
        "https://dash.example.com:99999",
        "https://[::1",
        "https://a..ü.example",
    ],
)
def test_what_is_no_origin_is_said(given):
    with pytest.raises(ValueError, match="no origin; write it as"):
        make_origin(given)


def test_a_proxy_may_name_the_usual_port_and_write_capitals():
    gate = Gate(["https://dash.example.com"], lambda: 0.0)
    for host in ("Dash.Example.com", "dash.example.com:443"):
        gate.check_address([host], ["https://dash.example.com"], origin_needed=True)
        assert gate.origin_under(host) == "https://dash.example.com"


def test_of_a_name_that_is_served_as_both_people_see_the_one_with_tls():
    gate = Gate(["https://dash.example.com", "http://dash.example.com"], lambda: 0.0)
    assert gate.origin_under("dash.example.com") == "https://dash.example.com"


def test_two_dashboards_of_one_machine_have_cookies_of_their_own():
    names = {
        Gate([f"http://localhost:{port}"], lambda: 0.0).cookie_under(f"localhost:{port}")
        for port in (8730, 8731)
    }
    assert names == {f"{COOKIE}-8730", f"{COOKIE}-8731"}
    assert COOKIE.startswith("__Host-")
    assert Gate(["https://d.example"], lambda: 0.0).cookie_under("d.example") == f"{COOKIE}-443"


async def test_a_browser_with_the_cookies_of_two_is_in_both():
    async with serve_web() as one, serve_web() as other:
        await one.ask("GET", one.dashboard.new_link())
        await other.ask("GET", other.dashboard.new_link())
        both = one.cookies | other.cookies
        one.cookies = other.cookies = both
        assert {(await each.ask("GET", "/")).status for each in (one, other)} == {200}
        await one.ask("POST", "/logout")
        assert ((await one.ask("GET", "/")).status, (await other.ask("GET", "/")).status) == (403, 200)


# ------------------------------------------------------------------------------ headers
async def test_every_answer_has_the_headers_also_those_that_nobody_of_us_wrote():
    async with serve_web(logs_in=True) as web:
        long = {"key": "k" * (FORM_BYTES_MAX + 1)}
        answers = {
            "the page": (200, await web.ask("GET", "/")),
            "a file": (200, await web.ask("GET", "/files/web.css")),
            "a script": (200, await web.ask("GET", "/static/js/textual.js")),
            "no such page": (404, await web.ask("GET", "/nothing")),
            "no such file": (404, await web.ask("GET", "/files/nothing")),
            "another method": (405, await web.ask("PUT", "/login")),
            "too long": (413, await web.ask("POST", "/login", long)),
            "no socket": (403, await web.ask("GET", "/ws")),
            "a foreign name": (403, await web.ask("GET", "/", Host="evil.example")),
            "a foreign page": (403, await web.ask("POST", "/logout", Origin="http://evil.example")),
            "nobody knows whence": (403, await web.ask("POST", "/logout", Origin="")),
            "out": (303, await web.ask("POST", "/logout")),
        }
        assert {what: answer.status for what, (_, answer) in answers.items()} == {
            what: status for what, (status, _) in answers.items()
        }
        for what, (_, answer) in answers.items():
            assert HEADERS.items() <= dict(answer.headers).items(), what


# ------------------------------------------------------------------------------ who is let in
async def test_nothing_starts_for_whom_the_gate_refuses(monkeypatch):
    started = []

    async def start(*_, **__):
        started.append("a process")
        raise AssertionError

    monkeypatch.setattr("asyncio.create_subprocess_exec", start)
    monkeypatch.setattr("asyncio.create_subprocess_shell", start)
    async with serve_web() as web:
        await web.ask("GET", web.dashboard.new_link())
        (name,) = web.cookies
        refused = {
            "another page": {"Origin": "http://evil.example"},
            "the same name at another port": {"Origin": f"http://localhost:{web.port + 1}"},
            "a page of a file": {"Origin": "null"},
            "nobody knows whence": {"Origin": ""},
            "another name": {"Host": "evil.example"},
            "no cookie": {"Cookie": ""},
            "a cookie made up": {"Cookie": f"{name}=made-up"},
            "the cookie of another port": {"Cookie": f"{COOKIE}-1={web.cookies[name]}"},
        }
        for what, headers in refused.items():
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await web.open_socket(**headers)
            assert caught.value.status == 403, what
        visitor = web.dashboard.gate.get_visitor(web.cookies[name])
        for _ in range(DASHBOARDS_PER_SESSION_MAX):
            web.dashboard.gate.begin(visitor)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await web.open_socket()
        assert caught.value.status == 503
        for _ in range(DASHBOARDS_PER_SESSION_MAX):
            web.dashboard.gate.end(visitor)
        web.dashboard.gate.leave(visitor)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await web.open_socket()
        assert caught.value.status == 403
        assert web.dashboard.gate.dashboards == 0
    assert started == []


# ------------------------------------------------------------------------------ messages
class Told:
    """A dashboard's process that notes what it is told."""

    def __init__(self):
        self.heard = []

    async def send_bytes(self, data):
        self.heard.append(data)

    async def set_terminal_size(self, width, height):
        self.heard.append((width, height))

    async def blur(self):
        self.heard.append("blur")

    async def focus(self):
        self.heard.append("focus")


async def say(*texts):
    """Return what a dashboard heard of `texts`, and what the browser was answered."""

    async def said():
        for text in texts:
            yield text

    async def answer(told):
        answered.append(told)

    process, answered = Told(), []
    await pass_on(said(), process, answer)
    return process.heard, answered


async def test_what_a_terminal_sends_is_passed_on():
    heard, answered = await say(
        json.dumps(["stdin", "ü\x1b[A"]),
        json.dumps(["resize", {"width": 120, "height": 40}]),
        json.dumps(["blur"]),
        json.dumps(["focus"]),
        json.dumps(["ping", "12"]),
        json.dumps(["stdin", UTF16_HALF]),
    )
    assert heard == ["ü\x1b[A".encode(), (120, 40), "blur", "focus", b"?"]
    assert answered == [["pong", "12"]]


@pytest.mark.parametrize(
    ("size", "taken"),
    [((0, -3), (1, 1)), ((10**9, 10**30), (COLUMNS_MAX, LINES_MAX))],
)
async def test_odd_sizes_are_made_usual_ones(size, taken):
    heard, _ = await say(json.dumps(["resize", {"width": size[0], "height": size[1]}]))
    assert heard == [taken]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        "1",
        "null",
        '"stdin"',
        '["stdin"]',
        '["stdin", {"a": 1}]',
        '["stdin", "a", "b"]',
        '["resize"]',
        '["resize", null]',
        '["resize", []]',
        '["resize", {}]',
        '["resize", {"width": 1e999, "height": 1}]',
        '["resize", {"width": NaN, "height": 1}]',
        '["resize", {"width": "80", "height": "24"}]',
        '["resize", {"width": null, "height": [1]}]',
        pytest.param(f'["resize", {{"width": {"9" * 5000}, "height": 1}}]', id="a number of 5,000 digits"),
        '["ping", {"a": [1]}]',
        '["deliver", "/etc/passwd"]',
        pytest.param("[" * 100_000, id="lists in lists"),
    ],
)
async def test_what_no_terminal_sends_ends_the_dashboard_without_a_traceback(text):
    heard, answered = await say(text, json.dumps(["stdin", "after it"]))
    assert (heard, answered) == ([], [])


async def test_odd_sizes_in_the_address_start_a_dashboard_of_a_usual_one(monkeypatch):
    sizes = []

    async def start(*_, env, **__):
        sizes.append((int(env["COLUMNS"]), int(env["ROWS"])))
        raise ConnectionError("enough seen")

    monkeypatch.setattr("asyncio.create_subprocess_exec", start)
    async with serve_web() as web:
        await web.ask("GET", web.dashboard.new_link())
        for query in (f"width={BEYOND}&height=-{BEYOND}", "width=x&height=", "width=-5&height=0", ""):
            opened = await web.open_socket(query)
            async with asyncio.timeout(60):
                while not opened.closed:
                    await opened.receive()
    assert sizes == [(COLUMNS_MAX, 1), (80, 24), (1, 1), (80, 24)]
