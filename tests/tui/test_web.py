"""The dashboard in a browser: who is let in before anything starts, and what its process can reach."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import httpx
import pytest

from omium.cli.browser import dashboard_beside, find_free_port
from omium.tui.web.gate import (
    DASHBOARDS_PER_SESSION_MAX,
    LINK_S,
    SESSION_S,
    Credential,
    Gate,
    Refused,
)
from tests.serverfixture import IN_CLEAR

CREDENTIAL = Credential("http://127.0.0.1:1", "om_dev_x")
OURS = "http://localhost:8730"
PATIENCE_S = 60


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gate(clock):
    return Gate([OURS], clock)


# ------------------------------------------------------------------------------ the gate
@pytest.mark.parametrize(
    "hosts", [[], ["evil.example"], ["localhost:8731"], ["localhost:8730", "localhost:8730"]]
)
def test_another_name_is_refused(gate, hosts):
    with pytest.raises(Refused, match="not served under that name"):
        gate.check_address(hosts, [], origin_needed=False)


@pytest.mark.parametrize(
    "origins", [["http://evil.example"], ["null"], ["http://localhost:8731"], [OURS, OURS]]
)
def test_another_page_is_refused(gate, origins):
    with pytest.raises(Refused, match="Another page"):
        gate.check_address(["localhost:8730"], origins, origin_needed=False)


def test_a_socket_that_does_not_say_whence_is_refused(gate):
    with pytest.raises(Refused, match="say which one"):
        gate.check_address(["localhost:8730"], [], origin_needed=True)
    gate.check_address(["localhost:8730"], [OURS], origin_needed=True)


def test_a_link_lets_one_browser_in_once(gate):
    link = gate.new_link(CREDENTIAL)
    assert gate.get_visitor(gate.use_link(link)).credential == CREDENTIAL
    with pytest.raises(Refused, match="was used"):
        gate.use_link(link)


def test_a_link_gets_too_old(gate, clock):
    link = gate.new_link(CREDENTIAL)
    clock.now_s = LINK_S + 1
    with pytest.raises(Refused, match="too old"):
        gate.use_link(link)


def test_a_browser_is_forgotten_after_its_time_and_when_it_leaves(gate, clock):
    first, second = gate.admit(CREDENTIAL), gate.admit(CREDENTIAL)
    gate.leave(gate.get_visitor(first))
    assert gate.find_visitor(first) is None
    assert gate.find_visitor(second) is not None
    clock.now_s = SESSION_S + 1
    assert gate.find_visitor(second) is None


def test_open_dashboards_are_bounded(gate):
    visitor = gate.get_visitor(gate.admit(CREDENTIAL))
    for _ in range(DASHBOARDS_PER_SESSION_MAX):
        gate.begin(visitor)
    with pytest.raises(Refused, match="Too many dashboards"):
        gate.begin(visitor)
    gate.end(visitor)
    gate.begin(visitor)


def test_a_secret_is_not_shown_with_what_holds_it():
    assert "om_dev_x" not in repr(CREDENTIAL)


# ------------------------------------------------------------------------------ a real one
class Web:
    def __init__(self, server, folder: Path, *flags: str, cwd: Path | None = None) -> None:
        environment = {**os.environ, "OMIUM_CONFIG_DIR": str(folder / "config")}
        environment |= {"OMIUM_BASE_URL": server.base_url, "OMIUM_API_KEY": server.api_key}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "omium", "tui", "--web", "--port", "0", *flags],
            env=environment,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        line = self.process.stdout.readline()
        found = re.search(r"http://localhost:(\d+)\S*", line)
        assert found, line + self.process.stdout.read()
        self.link, self.port = found[0], int(found[1])
        self.origin = f"http://localhost:{self.port}"

    def get(self, path, **headers):
        headers = {"host": f"localhost:{self.port}", **headers}
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, verify=IN_CLEAR)

    def let_in(self) -> str:
        """Use the link; return the cookie's header."""
        answer = self.get(self.link.removeprefix(self.origin))
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(re.split(r"; ", cookie))
        return cookie.split(";")[0]

    def children(self) -> list[int]:
        """The processes that it has started."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in task.read_text().split()]

    def told_to(self, pid: int) -> bytes:
        """A process's environment and arguments."""
        return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline"))

    async def until_childless(self):
        async with asyncio.timeout(PATIENCE_S):
            while self.children():  # noqa: ASYNC110 -- nobody tells when a process of another has ended
                await asyncio.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()


@pytest.fixture
def web(running_server, tmp_path):
    made = Web(running_server, tmp_path)
    yield made
    made.close()


async def open_socket(web, cookie, origin=None):
    session = aiohttp.ClientSession()
    headers = {"Origin": origin or web.origin, "Host": f"localhost:{web.port}"}
    if cookie:
        headers["Cookie"] = cookie
    try:
        socket = await session.ws_connect(
            f"http://127.0.0.1:{web.port}/ws?width=100&height=30", headers=headers
        )
    except BaseException:
        await session.close()
        raise
    return session, socket


async def read_until(socket, words: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(PATIENCE_S):
        while words not in seen:
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            seen += message.data if isinstance(message.data, bytes) else message.data.encode()
    return seen


async def test_nothing_starts_for_a_foreign_page_a_foreign_name_or_nobody(web):
    cookie = web.let_in()
    for given, origin in (
        (None, None),
        (cookie.partition("=")[0] + "=made-up", None),
        (cookie, "http://evil.example"),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await open_socket(web, given, origin)
        assert caught.value.status == 403
    assert web.get("/", host="evil.example").status_code == 403
    assert web.get("/").status_code == 403
    assert web.get("/?link=made-up").status_code == 403
    assert web.children() == []


async def test_the_link_opens_the_dashboard_and_its_process_ends_with_the_browser(web):
    cookie = web.let_in()
    assert web.get(web.link.removeprefix(web.origin)).status_code == 403
    page = web.get("/", cookie=cookie)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text)
    session, socket = await open_socket(web, cookie)
    await read_until(socket, b"Recent executions")  # before there is a page, no key means anything
    (child,) = web.children()
    told = web.told_to(child)
    assert b"om_dev_" not in told
    assert b"HOME=" not in told
    await socket.send_str(json.dumps(["stdin", "?"]))
    await read_until(socket, b"what each key does")
    await socket.close()
    await session.close()
    await web.until_childless()


async def test_what_a_browser_sends_wrongly_ends_its_dashboard_and_no_other(web):
    cookie = web.let_in()
    (one, bad), (two, good) = await open_socket(web, cookie), await open_socket(web, cookie)
    await read_until(good, b"Overview")
    await bad.send_str("not JSON")
    async with asyncio.timeout(PATIENCE_S):
        while not bad.closed:
            await bad.receive()
    await good.send_str(json.dumps(["ping", 1]))
    assert b"pong" in await read_until(good, b"pong")
    for session in (one, two):
        await session.close()


async def test_when_a_dashboards_process_is_killed_its_socket_ends(web):
    session, socket = await open_socket(web, web.let_in())
    await read_until(socket, b"Overview")
    (child,) = web.children()
    os.kill(child, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        while not socket.closed:
            await socket.receive()
    await web.until_childless()
    assert socket.closed
    await session.close()


async def test_a_dashboard_that_hangs_is_ended_when_its_browser_goes(web):
    session, socket = await open_socket(web, web.let_in())
    await read_until(socket, b"Overview")
    (child,) = web.children()
    os.kill(child, signal.SIGSTOP)
    try:
        await socket.close()
        await session.close()
        await web.until_childless()
        assert web.process.poll() is None, "the dashboard ended, not only its process"
    finally:
        if child in web.children():
            os.kill(child, signal.SIGKILL)


async def test_a_dashboard_ends_when_the_process_that_started_it_is_killed(web):
    session, socket = await open_socket(web, web.let_in())
    await read_until(socket, b"Overview")
    (child,) = web.children()
    ended = os.pidfd_open(child)
    try:
        web.process.kill()
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(ended, gone.set)
        async with asyncio.timeout(PATIENCE_S):
            assert await gone.wait()
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        loop.remove_reader(ended)
        os.close(ended)
        await session.close()


async def test_a_dashboard_runs_nothing_that_lies_where_it_was_started(running_server, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('taken from the folder')")
    web = Web(running_server, tmp_path, cwd=tmp_path)
    try:
        session, socket = await open_socket(web, web.let_in())
        assert b"Overview" in await read_until(socket, b"Overview")
        await session.close()
    finally:
        web.close()


async def test_nor_does_the_one_beside_a_server(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('taken from the folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    port = find_free_port()
    with dashboard_beside("http://127.0.0.1:1", port, (), None):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                await asyncio.sleep(0.05)
        assert writer.get_extra_info("peername")[1] == port
        writer.close()
        await writer.wait_closed()


async def test_people_log_in_with_a_form_where_the_server_offers_it(running_server, tmp_path):
    web = Web(running_server, tmp_path, "--log-in")
    try:
        assert 'name="password"' in web.get("/").text
        post = {"headers": {"origin": web.origin, "host": f"localhost:{web.port}"}, "verify": IN_CLEAR}
        address = f"http://127.0.0.1:{web.port}/login"
        wrong = await asyncio.to_thread(httpx.post, address, data={"key": "om_dev_<b>"}, **post)
        assert wrong.status_code == 401
        assert "not an Omium API key" in wrong.text
        right = await asyncio.to_thread(httpx.post, address, data={"key": running_server.api_key}, **post)
        assert right.status_code == 303
        foreign = {**post, "headers": {**post["headers"], "origin": "http://evil.example"}}
        refused = await asyncio.to_thread(
            httpx.post, address, data={"key": running_server.api_key}, **foreign
        )
        assert refused.status_code == 403
    finally:
        web.close()


async def test_files_beside_those_of_the_page_are_not_served(web):
    web.let_in()
    for path in (
        "/files/../server.py",
        "/files/%2e%2e/server.py",
        "/static/../server.py",
        "/static/",
        "/files/",
    ):
        assert web.get(path).status_code in (403, 404)
