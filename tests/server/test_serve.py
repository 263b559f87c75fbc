"""The process: how it starts, what it refuses, how it ends, and what survives."""

import os
import resource
import signal
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from omium.errors import ConfigError
from omium.folders import bootstrap_token_file, data_folder
from omium.server import serve
from omium.server.settings import ServerSettings
from omium.server.tls import load_certificate
from tests.serverfixture import _PROGRAM

PATIENCE_S = 60  # for an answer of a process on a loaded machine


def run(data, **environment):
    """Run the server to its end, for starts that fail."""
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(data), environment.pop("port", "0")],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, **environment},
        check=False,
    )


def test_it_starts_serves_and_ends_with_zero(running_server):
    reply = httpx.get(
        f"{running_server.base_url}/v1/whoami", headers=running_server.headers, timeout=PATIENCE_S
    )
    ready = httpx.get(f"{running_server.base_url}/readyz", timeout=PATIENCE_S)

    assert reply.status_code == 200
    assert ready.json()["status"] == "ready"
    assert running_server.stop() == 0


def test_its_files_are_for_its_owner_only(make_running_server):
    server = make_running_server(from_nothing=True)
    server.bootstrap()

    for path in server.data.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_a_fresh_server_offers_a_token_and_one_with_an_owner_does_not(make_running_server):
    server = make_running_server()
    server.bootstrap()
    server.stop()
    server.restart()
    httpx.get(f"{server.base_url}/v1/whoami", headers=server.headers, timeout=PATIENCE_S).raise_for_status()

    assert not bootstrap_token_file(server.data).exists()


@pytest.mark.parametrize(
    ("url", "data", "command"),
    [
        ("http://127.0.0.1:8720", None, "omium init"),
        ("http://0.0.0.0:8720", None, "omium init"),
        ("http://[::]:9000", None, "omium init --base-url http://127.0.0.1:9000"),
        (
            "https://127.0.0.1:8720",
            Path("/my data"),
            "omium init --base-url https://127.0.0.1:8720 --data '/my data'",
        ),
    ],
)
def test_what_it_says_to_do_next_reaches_this_server(url, data, command):
    assert serve.tell_init(url, data or data_folder()) == command


def test_no_secret_is_in_the_log(running_server):
    httpx.get(
        f"{running_server.base_url}/v1/whoami",
        headers={"authorization": "Bearer om_dev_x_secret"},
        timeout=PATIENCE_S,
    )
    httpx.get(f"{running_server.base_url}/v1/whoami", headers=running_server.headers, timeout=PATIENCE_S)
    running_server.stop()

    assert running_server.api_key[-30:] not in running_server.log()


def test_a_second_server_on_the_same_data_says_so_and_exits(running_server):
    second = run(running_server.data)

    assert second.returncode == 1
    assert second.stderr.startswith("omium serve:")
    assert "in use" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_named(running_server, tmp_path):
    second = run(tmp_path / "other", port=str(running_server.port))

    assert second.returncode == 1
    assert "Stop what uses the port" in second.stderr
    assert "Traceback" not in second.stderr


def test_an_address_that_is_not_this_machines_is_named(tmp_path):
    second = run(tmp_path / "other", OMIUM_HOST="192.0.2.1", OMIUM_TLS="1")

    assert second.returncode == 1
    assert "no such address; choose another with --host" in second.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "omium.example"])
def test_strangers_are_not_served_in_clear(tmp_path, host):
    with pytest.raises(ConfigError, match="--tls"):
        serve.refuse_strangers_in_clear(ServerSettings(data=tmp_path, host=host))
    serve.refuse_strangers_in_clear(ServerSettings(data=tmp_path, host=host, tls=True))
    serve.refuse_strangers_in_clear(ServerSettings(data=tmp_path, host=host, behind_proxy=("10.0.0.0/8",)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_is_served_without_more(tmp_path, host):
    settings = ServerSettings(data=tmp_path, host=host)
    serve.refuse_strangers_in_clear(settings)
    assert not settings.listens_to_strangers


def test_a_stranger_in_clear_ends_the_start(tmp_path):
    ended = run(tmp_path / "data", OMIUM_HOST="0.0.0.0")

    assert ended.returncode == 1
    assert "--behind-proxy" in ended.stderr


def test_a_missing_key_file_beside_a_database_with_tenants_is_an_error(running_server):
    running_server.stop()
    (running_server.data / "keys.json").unlink()

    ended = run(running_server.data)

    assert ended.returncode == 1
    assert "key file" in ended.stderr


def test_streams_end_and_waiting_requests_finish_when_it_stops(running_server):
    with httpx.stream(
        "GET",
        f"{running_server.base_url}/v1/events/stream",
        headers=running_server.headers,
        timeout=PATIENCE_S,
    ) as stream:
        chunks = stream.iter_raw()
        next(chunks)
        os.kill(running_server.pid, signal.SIGTERM)
        rest = b"".join(chunks)

    assert rest.endswith(b"event: end\ndata: {}\n\n")
    assert running_server.stop() == 0


def test_tls_with_its_own_authority(make_running_server, tmp_path):
    server = make_running_server(OMIUM_TLS="1")
    trust = ssl.create_default_context(cafile=str(server.data / "tls" / "ca.pem"))
    with httpx.Client(
        verify=trust, timeout=PATIENCE_S, base_url=f"https://127.0.0.1:{server.port}"
    ) as client:
        reply = client.get("/healthz")

    assert reply.status_code == 200
    assert "strict-transport-security" in reply.headers
    with (
        pytest.raises(httpx.ConnectError),
        httpx.Client(verify=ssl.create_default_context(), timeout=PATIENCE_S) as client,
    ):
        client.get(f"https://127.0.0.1:{server.port}/healthz")


def test_a_tls_handshake_that_never_comes_is_closed(make_running_server):
    server = make_running_server(OMIUM_TLS="1", OMIUM_HEADER_DEADLINE_S="0.3")
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as silent:
        assert silent.recv(100) == b""


def test_the_certificate_is_kept_and_made_anew_for_a_new_name(tmp_path):
    first = load_certificate(ServerSettings(data=tmp_path))
    chain = first.chain_file.read_bytes()
    second = load_certificate(ServerSettings(data=tmp_path))
    unchanged = second.chain_file.read_bytes()
    third = load_certificate(ServerSettings(data=tmp_path, tls_names=("omium.example", "192.0.2.7")))

    assert unchanged == chain
    assert third.chain_file.read_bytes() != chain
    assert third.fingerprint == first.fingerprint
    assert stat.S_IMODE(first.key_file.stat().st_mode) == 0o600


def test_a_damaged_authority_is_a_sentence(tmp_path):
    load_certificate(ServerSettings(data=tmp_path))
    (tmp_path / "tls" / "ca.pem").write_text("garbage")

    with pytest.raises(ConfigError, match="damaged"):
        load_certificate(ServerSettings(data=tmp_path))


def test_settings_come_from_the_command_line_then_the_environment(tmp_path):
    environ = {
        "OMIUM_DATA_DIR": str(tmp_path),
        "OMIUM_PORT": "1",
        "OMIUM_TLS": "yes",
        "OMIUM_ALLOWED_HOSTS": "a, b",
    }

    settings = ServerSettings.load(environ, port=2, host=None)

    assert (settings.port, settings.host, settings.tls) == (2, "127.0.0.1", True)
    assert settings.allowed_hosts == ("a", "b")
    assert settings.data == tmp_path


@pytest.mark.parametrize(
    "environ",
    [
        {"OMIUM_PORT": "http"},
        {"OMIUM_TLS": "maybe"},
        {"OMIUM_BEHIND_PROXY": "10.0.0.1/99"},
        {"OMIUM_STREAMS_MAX": "5000"},
        {"OMIUM_KEEP_ALIVE_S": "0"},
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(environ):
    with pytest.raises(ConfigError):
        ServerSettings.load(environ)


def test_the_data_folder_follows_xdg(tmp_path):
    assert data_folder({"OMIUM_DATA_DIR": "/x/y", "XDG_DATA_HOME": "/z"}).as_posix() == "/x/y"
    assert data_folder({"XDG_DATA_HOME": "/z", "HOME": "/home/a"}).as_posix() == "/z/omium"
    assert (
        data_folder({"XDG_DATA_HOME": "relative", "HOME": "/home/a"}).as_posix()
        == "/home/a/.local/share/omium"
    )


def test_systemd_hears_that_it_is_ready(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        serve.notify_systemd("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_it_may_open_as_many_files_as_connections(monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    serve.raise_open_files(soft + 1 if hard == resource.RLIM_INFINITY or soft < hard else soft)
    now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert now >= soft


def test_starting_is_quick(make_running_server):
    """CPU time, because the machine may be busy: a start that loads a framework too many shows."""
    server = make_running_server(from_nothing=True)
    fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = sum(map(int, fields[11:13]))

    assert ticks / os.sysconf("SC_CLK_TCK") < 2.5
