"""Running an agent's script against a server and a model on loopback, and what the server shows of it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

OTHERS_KEYS = ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY")


def run_script(name, server, *arguments, environment=None):
    """Run the script beside this file to its end; its spans go to `server`."""
    inherited = {key: text for key, text in os.environ.items() if key not in OTHERS_KEYS}
    told = {
        **inherited,
        "OTEL_EXPORTER_OTLP_ENDPOINT": server.base_url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{server.api_key}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "otters",
        **(environment or {}),
    }
    command = [sys.executable, str(Path(__file__).with_name(name)), *arguments]
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "Failed to export" not in done.stderr


def list_executions(server, calls):
    """Return what is shown, once nothing runs any more and `calls` of the model are counted.

    A call that a client tells in a trace of its own is shown until the trace around it has been read.
    """
    with httpx.Client(base_url=server.base_url, headers=server.headers, timeout=30) as client:
        for _ in range(200):
            items = client.get("/v1/executions").json()["items"]
            shown = [client.get(f"/v1/executions/{item['id']}").json() for item in items]
            ended = shown and all(each["status"] in {"completed", "failed"} for each in shown)
            if ended and sum(each["usage"]["calls"] for each in shown) == calls:
                break
            time.sleep(0.1)
        return shown


def list_steps(server, execution):
    with httpx.Client(base_url=server.base_url, headers=server.headers, timeout=30) as client:
        return client.get(f"/v1/executions/{execution['id']}/steps").json()["items"]
