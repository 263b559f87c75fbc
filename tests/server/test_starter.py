"""What a tenant begins with, booked together with it."""

import httpx
import pytest

from omium.errors import ConfigError
from omium.server.settings import ServerSettings


def get(server, path):
    reply = httpx.get(server.base_url + path, headers=server.headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_the_first_tenant_begins_with_starter_credits_and_their_entry(make_running_server):
    server = make_running_server(OMIUM_STARTER_CREDITS="250")
    server.bootstrap()

    assert get(server, "/v1/whoami")["credits"] == 250
    assert get(server, "/v1/status")["credits"] == 250
    (entry,) = get(server, "/v1/credits/history")["items"]
    assert (entry["kind"], entry["credits"], entry["note"]) == ("grant", 250, "starter credits")


def test_a_number_of_credits_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="OMIUM_STARTER_CREDITS"):
        ServerSettings(data=tmp_path, starter_credits=-1)
    with pytest.raises(ConfigError, match="OMIUM_CREDITS_PER_USD"):
        ServerSettings(data=tmp_path, credits_per_usd=0)
