"""Webhooks against a real server process: the stock library verifies, and a killed server pushes again."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from standardwebhooks import Webhook

from tests.sdk.served import TIMEOUT_S, make_running_server, use_server, wait_until

__all__ = ["make_running_server"]

SPEC = {
    "omium": "0",
    "name": "pushed",
    "nodes": [{"id": "n", "type": "function", "parameters": {"handler": "enrich"}, "inputs": {"x": 1}}],
    "outputs": {"said": {"$from": "nodes.n.output"}},
}


class Target:
    """An HTTP server that verifies what comes with `secrets`, and answers as it's told."""

    def __init__(self):
        self.secrets, self.tasks, self.refused = [], [], []
        self.answer = (200, {"output": "done"})
        self.hold = threading.Event()
        self.hold.set()
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                for secret in target.secrets:
                    try:
                        message = Webhook(secret).verify(body, dict(self.headers.items()))
                    except Exception as error:
                        target.refused.append(error)
                    else:
                        target.tasks.append(message["data"])
                target.hold.wait(TIMEOUT_S)
                status, said = target.answer
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.place = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def target():
    opened = Target()
    yield opened
    opened.close()


@pytest.fixture
def server(make_running_server, target, tmp_path, monkeypatch):
    running = make_running_server(
        OMIUM_OUTBOUND_ALLOW=target.place,
        OMIUM_LEASE_S="3",
        OMIUM_HEARTBEAT_S="0.5",
        OMIUM_SELF_FENCE_S="2",
        OMIUM_LEASE_GRACE_S="1",
    )
    running.bootstrap()
    with use_server(running, tmp_path, monkeypatch) as made:
        made.post("/v1/workflows", {"document": SPEC})
        body = {"name": "w", "url": f"http://{target.place}/hook", "handlers": ["enrich"]}
        webhook = made.post("/v1/webhooks", body)
        target.secrets.append(webhook["signing_secret"])
        made.webhook_id = webhook["id"]
        yield made


def start(server):
    body = {"workflow": "pushed", "driver": "worker", "input": {}, "input_digest": "0" * 64}
    return server.post("/v1/executions", body)["id"]


def completed(server, execution_id):
    def look():
        detail = server.detail(execution_id)
        return detail if detail["status"] == "completed" else None

    return wait_until(look)


def call_back(server, token, output):
    body = {"token": token, "output": output}
    return httpx.post(server.running.base_url + "/v1/tasks/callback", json=body, timeout=TIMEOUT_S)


def test_the_stock_library_verifies_a_push_also_with_either_secret_after_a_rotation(server, target):
    assert completed(server, start(server))["output"] == {"said": "done"}
    assert (len(target.tasks), target.refused) == (1, [])

    rotated = server.post(f"/v1/webhooks/{server.webhook_id}/rotate")
    target.secrets.append(rotated["signing_secret"])
    completed(server, start(server))
    assert (len(target.tasks), target.refused) == (3, [])


def test_a_server_that_is_killed_while_it_pushes_pushes_again_and_the_former_token_is_over(server, target):
    target.hold.clear()
    execution_id = start(server)
    first = wait_until(lambda: target.tasks)[0]
    server.running.kill()
    target.answer = (202, {})
    target.hold.set()
    server.running.restart()

    second = wait_until(lambda: target.tasks[1:])[0]
    assert (second["path"], second["attempt"]) == (first["path"], first["attempt"])
    assert second["epoch"] > first["epoch"]
    late = call_back(server, first["token"], "late")
    assert (late.status_code, late.json()["code"]) == (409, "lease-lost")

    assert call_back(server, second["token"], "in time").status_code == 200
    assert completed(server, execution_id)["output"] == {"said": "in time"}
    after = call_back(server, first["token"], "late")
    assert after.status_code == 409
    assert server.detail(execution_id)["output"] == {"said": "in time"}


def test_a_callback_that_is_due_survives_a_restart(server, target):
    target.answer = (202, {})
    execution_id = start(server)
    task = wait_until(lambda: target.tasks)[0]
    for _ in range(3):  # requests and writes that come after the one that records the 202
        server.post(f"/v1/webhooks/{server.webhook_id}/test")
    server.running.kill()
    server.running.restart()

    assert call_back(server, task["token"], 7).status_code == 200
    assert completed(server, execution_id)["output"] == {"said": 7}
    assert [each for each in target.tasks if "path" in each] == [task]
