"""Every endpoint, asked by those who may not: the same refusals everywhere."""

import asyncio
import tempfile
from pathlib import Path

import httpx
import pytest

from omium.apikeys import make_api_key
from omium.ids import new_id
from omium.server.routes import list_endpoints
from omium.server.web.endpoint import Endpoint
from omium.states import Scope
from tests.serverfixture import open_app_client, test_settings

PROTECTED = [endpoint for endpoint in list_endpoints() if not endpoint.is_public]
EACH = pytest.mark.parametrize("endpoint", PROTECTED, ids=lambda endpoint: endpoint.name)


class Guarded:
    """A server in an event loop of its own, for all of these tests: none gets as far as to change it."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.opened = open_app_client(test_settings(Path(self.folder.name)))
        self.client = self.runner.run(self.opened.__aenter__())
        self.tokens = self.runner.run(self._make_tokens())

    async def _make_tokens(self) -> dict[str, str | None]:
        client = self.client
        revoked = await client.new_key()
        await client.post(f"/v1/keys/{revoked.api_key_id}/revoke")
        expired = await client.new_key(expires_us=client.clock.now_us())
        good = client.api_key
        return {
            "nobody": None,
            "mistyped": good[:-1] + ("x" if good[-1] != "x" else "y"),
            "unknown": make_api_key("dev", new_id("ak", 1)).token,
            "forged": make_api_key("dev", client.key.api_key_id).token,
            "revoked": revoked.api_key,
            "expired": expired.api_key,
        }

    def key_without(self, scope: Scope) -> str:
        return self.runner.run(self.client.new_key(*(set(Scope) - {scope}))).api_key

    def ask(self, endpoint: Endpoint, token: str | None) -> httpx.Response:
        self.client.clock.advance(seconds=1)  # or so many refusals would be too many
        path = endpoint.path
        for name in endpoint.path_parameters:
            path = path.replace(f"{{{name}}}", "xx_" + "0" * 26)
        headers = {"Idempotency-Key": "k", "content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        nobody = self.client.as_nobody()
        return self.runner.run(nobody.request(endpoint.method, path, headers=headers, content=b"{}"))

    def close(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()


@pytest.fixture(scope="module")
def guarded():
    made = Guarded()
    yield made
    made.close()


@EACH
def test_who_has_no_good_key_is_not_let_in(guarded, endpoint):
    replies = {name: guarded.ask(endpoint, token) for name, token in guarded.tokens.items()}

    assert {name: (reply.status_code, reply.json()["code"]) for name, reply in replies.items()} == {
        "nobody": (401, "unauthenticated"),
        "mistyped": (401, "unauthenticated"),
        "unknown": (401, "unauthenticated"),
        "forged": (401, "unauthenticated"),
        "revoked": (401, "key-revoked"),
        "expired": (401, "key-expired"),
    }


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in PROTECTED if endpoint.scope is not None],
    ids=lambda endpoint: endpoint.name,
)
def test_a_key_without_the_scope_is_refused_before_its_body_is_read(guarded, endpoint):
    reply = guarded.ask(endpoint, guarded.key_without(endpoint.scope))

    assert (reply.status_code, reply.json()["code"]) == (403, "scope-missing")
    assert reply.json()["scope"] == endpoint.scope.value
