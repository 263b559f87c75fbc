"""Whatever is sent, an endpoint answers what its declaration says: never a 5xx, never a surprise.

Each endpoint gets bodies and queries made from its own schema, sometimes broken in one place, on a server
that holds an execution, a key and whatever earlier requests made.
"""

import asyncio
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omium.ids import new_id
from omium.models.execution import StartExecution
from omium.server.engine.parts import EngineParts
from omium.server.engine.start import start
from omium.server.engine.values import Vault
from omium.server.principal import Principal, PrincipalKind
from omium.server.routes import list_endpoints
from omium.server.web.declared import list_problems
from omium.server.web.endpoint import Endpoint, Idempotency
from omium.states import Driver, Environment, Scope
from tests.serverfixture import AppClient, open_app_client, test_settings
from tests.web.schemas import spoiled, values

# Its confirmation is the tenant's name, and that may have become one of the ids that are tried.
ENDS_ITS_CALLER = {"delete_tenant"}
FUZZED = [endpoint for endpoint in list_endpoints() if not endpoint.stream and endpoint.name != "get_metrics"]


class Fuzzed:
    """A server in an event loop of its own, for hypothesis, which calls plain functions."""

    def __init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.opened = open_app_client(test_settings(Path(self.folder.name)))
        self.client: AppClient = self.runner.run(self.opened.__aenter__())
        spare = self.runner.run(self.client.new_key())  # not its own: it would revoke that
        self.ids = [new_id("ex", 1), spare.api_key_id, self.runner.run(self._begin()), "default"]

    async def _begin(self) -> str:
        key = self.client.key
        principal = Principal(
            key.tenant_id, key.api_key_id, PrincipalKind.KEY, Environment.DEV, frozenset(Scope)
        )
        parts = EngineParts(self.client.server.db, Vault(self.client.server.key_file))
        command = StartExecution(workflow="w", driver=Driver.WORKER, input_digest="0" * 64)
        return (await start(parts, principal, command, idempotency_key="begin")).id

    def close(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()


@pytest.fixture(scope="module")
def fuzzed():
    made = Fuzzed()
    yield made
    made.close()


def schema_of(model, ids):
    schema = model.model_json_schema()
    return spoiled(values(schema, schema.get("$defs", {}), ids))


@pytest.mark.parametrize("endpoint", FUZZED, ids=lambda endpoint: endpoint.name)
def test_an_endpoint_answers_only_what_it_declares(fuzzed, endpoint: Endpoint):
    allowed = {problem.code for problem in list_problems(endpoint)}
    bodies = schema_of(endpoint.body, fuzzed.ids) if endpoint.body else st.none()
    queries = schema_of(endpoint.query, fuzzed.ids) if endpoint.query else st.none()

    @settings(
        max_examples=max(10, settings().max_examples // 4),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(body=bodies, query=queries, where=st.lists(st.sampled_from(fuzzed.ids), min_size=2, max_size=2))
    def send(body, query, where):
        path = endpoint.path
        for name, value in zip(endpoint.path_parameters, where, strict=False):
            path = path.replace(f"{{{name}}}", value)
        headers = {"Idempotency-Key": str(uuid.uuid4())} if endpoint.idempotent is Idempotency.KEYED else {}
        sent = {"json": body} if endpoint.body else {}
        params = {key: str(value) for key, value in (query or {}).items() if value is not None}
        reply = fuzzed.runner.run(
            fuzzed.client.request(endpoint.method, path, params=params, headers=headers, **sent)
        )
        if reply.status_code == endpoint.status:
            if endpoint.reply is not None:
                endpoint.reply.model_validate_json(reply.content)
            return
        assert reply.status_code < 500, reply.text
        assert reply.headers["content-type"] == "application/problem+json", reply.text
        assert reply.json()["code"] in allowed, reply.text

    send()
    if endpoint.name in ENDS_ITS_CALLER:
        fuzzed.close()
        fuzzed.open()
    assert fuzzed.runner.run(fuzzed.client.get("/v1/whoami")).status_code == 200
