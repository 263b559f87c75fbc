"""Two server processes on one PostgreSQL: what one of them ends is refused by the other within a second."""

import time

import httpx
import pytest

from tests.serverfixture import RunningServer

pytestmark = pytest.mark.postgres

PATIENCE_S = 10  # the promise is a second; the machine may be slow


@pytest.fixture
def two(make_running_server, postgres_url):
    """Two processes with one database and one key file; the first one made the owner's key."""
    first = make_running_server(OMIUM_DATABASE_URL=postgres_url)
    first.bootstrap()
    second = RunningServer(first.data, first.environment)
    second.api_key = first.api_key
    with (
        httpx.Client(base_url=first.base_url, headers=first.headers, timeout=60) as here,
        httpx.Client(base_url=second.base_url, timeout=60) as there,
    ):
        yield here, there
    second.kill()


def new_key(here, name):
    reply = here.post("/v1/keys", json={"name": name}, headers={"idempotency-key": name})
    return reply.json()


def door(client, bearer):
    """Return what a server says to `bearer`: ok, or the code of its refusal."""
    reply = client.get("/v1/whoami", headers={"authorization": f"Bearer {bearer}"})
    return "ok" if reply.status_code == 200 else reply.json()["code"]


def wait_for(client, bearer, code):
    """Ask in a busy row, so that the other server's memory of the key stays warm, until it refuses."""
    until_s = time.monotonic() + PATIENCE_S
    while (said := door(client, bearer)) == "ok":
        assert time.monotonic() < until_s, "the other server still lets it in"
    assert said == code


def test_what_one_process_ends_the_other_refuses(two):
    here, there = two
    revoked, rotated = new_key(here, "revoked"), new_key(here, "rotated")
    token = there.post(
        "/v1/auth/token", json={}, headers={"authorization": f"Bearer {revoked['api_key']}"}
    ).json()["token"]
    for bearer in (revoked["api_key"], rotated["api_key"], token):
        assert door(here, bearer) == door(there, bearer) == "ok"

    here.post(f"/v1/keys/{revoked['id']}/revoke")
    wait_for(there, revoked["api_key"], "key-revoked")
    wait_for(there, token, "key-revoked")

    new = here.post(f"/v1/keys/{rotated['id']}/rotate", json={}, headers={"idempotency-key": "r"}).json()
    assert door(there, new["api_key"]) == "ok"  # at once: what does not fit is looked up again
    wait_for(there, rotated["api_key"], "key-rotated")
    assert door(here, revoked["api_key"]) == "key-revoked"
    assert door(here, rotated["api_key"]) == "key-rotated"
