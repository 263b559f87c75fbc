"""Every endpoint, asked by those who may not: the same refusals everywhere."""

import pytest

from omium.apikeys import make_api_key
from omium.ids import new_id
from omium.server.routes import list_endpoints
from omium.server.web.endpoint import Endpoint
from omium.states import Scope
from tests.serverfixture import open_app_client, test_settings

PROTECTED = [endpoint for endpoint in list_endpoints() if not endpoint.is_public]
EACH = pytest.mark.parametrize("endpoint", PROTECTED, ids=lambda endpoint: endpoint.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("identities")


@pytest.fixture
async def client(folder, tmp_path):
    async with open_app_client(test_settings(tmp_path)) as opened:
        yield opened


async def ask(client, endpoint: Endpoint, token: str | None):
    path = endpoint.path
    for name in endpoint.path_parameters:
        path = path.replace(f"{{{name}}}", "xx_" + "0" * 26)
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return await client.as_nobody().request(endpoint.method, path, headers=headers, content=b"{}")


@EACH
async def test_who_has_no_good_key_is_not_let_in(client, endpoint):
    revoked = await client.new_key()
    await client.post(f"/v1/keys/{revoked.api_key_id}/revoke")
    expired = await client.new_key(expires_us=client.clock.now_us())
    good = client.api_key

    codes = {
        name: ((reply := await ask(client, endpoint, token)).status_code, reply.json()["code"])
        for name, token in {
            "nobody": None,
            "mistyped": good[:-1] + ("x" if good[-1] != "x" else "y"),
            "unknown": make_api_key("dev", new_id("ak", 1)).token,
            "forged": make_api_key("dev", client.key.api_key_id).token,
            "revoked": revoked.api_key,
            "expired": expired.api_key,
        }.items()
    }

    assert codes == {
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
async def test_a_key_without_the_scope_is_refused_before_its_body_is_read(client, endpoint):
    key = await client.new_key(*(set(Scope) - {endpoint.scope}))

    reply = await ask(client, endpoint, key.api_key)

    assert (reply.status_code, reply.json()["code"]) == (403, "scope-missing")
    assert reply.json()["scope"] == endpoint.scope.value
