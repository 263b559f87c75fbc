"""A lost owner's key: made anew from the folder of a stopped server."""

import asyncio

import httpx
import pytest

from omium.errors import ConfigError, DatabaseLocked
from omium.server.recovery import make_owner_key
from omium.server.settings import ServerSettings


def test_a_stopped_servers_folder_gives_another_owners_key(running_server):
    settings = ServerSettings(data=running_server.data)
    with pytest.raises(DatabaseLocked):
        asyncio.run(make_owner_key(settings))
    running_server.stop()

    made = asyncio.run(make_owner_key(settings))
    running_server.restart()
    reply = httpx.get(
        f"{running_server.base_url}/v1/whoami",
        headers={"authorization": f"Bearer {made.api_key}"},
        timeout=60,
    )

    assert reply.json()["tenant"] == "test"
    assert "server" in reply.json()["scopes"]


def test_a_folder_without_a_tenant_has_no_owner(make_running_server):
    server = make_running_server()
    server.stop()

    with pytest.raises(ConfigError, match="omium init"):
        asyncio.run(make_owner_key(ServerSettings(data=server.data)))
    with pytest.raises(ConfigError, match="key file"):
        asyncio.run(make_owner_key(ServerSettings(data=server.data.parent / "elsewhere")))
