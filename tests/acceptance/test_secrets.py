"""Secrets that users' steps return come back equal, and are in no file, log, backup or metric."""

from pathlib import Path

import httpx
import pytest

import omium

SECRETS = {
    "openai": "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5q" * 3,
    "github": "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    "aws": "AKIA" + "IOSFODNN7EXAMPLQ",
    "url": "https://user:correct-horse-battery@db.internal/orders",
}


def test_secrets_come_back_equal_and_are_found_nowhere(server):
    ran = []

    @omium.step
    def fetch():
        ran.append("fetch")
        return {"api_key": SECRETS["openai"], "all": list(SECRETS.values()), "password": "hunter2-hunter2"}

    @omium.step
    def use(found):
        print("using", found["api_key"])
        ran.append("use")
        if ran.count("use") == 1:
            raise ValueError(f"refused for {SECRETS['github']}")
        return found

    @omium.workflow
    def integrate(token):
        return use(fetch())

    with pytest.raises(ValueError, match="refused"):
        integrate(SECRETS["aws"])
    failed = server.newest()
    assert omium.resume(failed["id"]) == {
        "api_key": SECRETS["openai"],
        "all": list(SECRETS.values()),
        "password": "hunter2-hunter2",
    }
    assert ran == ["fetch", "use", "use"]

    backup = server.post("/v1/admin/backup", {})
    running = server.running
    seen = b"".join(
        httpx.get(running.base_url + path, headers=running.headers).content
        for path in (
            "/metrics",
            f"/v1/executions/{failed['id']}",
            f"/v1/executions/{failed['id']}/events",
            f"/v1/executions/{failed['id']}/steps",
            "/v1/failures",
        )
    )
    running.stop()
    files = [path for path in running.data.rglob("*") if path.is_file()] + [Path(backup["file"])]
    everything = b"".join(path.read_bytes() for path in files) + running.log().encode() + seen

    assert len(files) >= 3
    for name, secret in (*SECRETS.items(), ("password", "hunter2-hunter2"), ("own key", running.api_key)):
        assert secret.encode() not in everything, f"the {name} is in clear text"
