"""Another tenant's ids answer exactly like unknown ones, on every endpoint, and lists show nothing of it."""

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omium.server.routes import list_endpoints
from omium.server.web.endpoint import Endpoint
from tests.web.schemas import values
from tests.web.test_fuzz import Fuzzed

OF_ONES_OWN = {"set_secret", "delete_secret"}  # a name that a tenant gives: setting one makes it
ADDRESSED = [
    endpoint for endpoint in list_endpoints() if endpoint.path_parameters and endpoint.name not in OF_ONES_OWN
]
LISTS = [
    endpoint
    for endpoint in list_endpoints()
    if endpoint.method == "GET"
    and not endpoint.path_parameters
    and not endpoint.is_public
    and not endpoint.stream
    and endpoint.name != "list_plans"  # the server's
]


class TwoTenants(Fuzzed):
    """One tenant owns an execution, a key and a breaker; the stranger has none of them."""

    def __init__(self) -> None:
        super().__init__()
        _, spare_key, execution, _ = self.ids
        self.stranger = self.runner.run(self.client.new_tenant())
        made = self.runner.run(self.client.post_keyed("/v1/breakers/mine", {"state": "open"}))
        assert made.status_code == 200, made.text
        self.owned = {"execution_id": execution, "key_id": spare_key, "name": "mine"}


@pytest.fixture(scope="module")
def two():
    made = TwoTenants()
    yield made
    made.close()


def shown(reply, written: str) -> tuple[int, str]:
    """What the answer says, without the id that was asked for and the request's own."""
    text = reply.text.replace(written, "THE-ID")
    if reply.status_code >= 400:
        text = text.replace(reply.headers["omium-request-id"], "RQ")
    return reply.status_code, text


@pytest.mark.parametrize("endpoint", ADDRESSED, ids=lambda endpoint: endpoint.name)
def test_a_foreign_id_is_as_unknown_as_one_that_is_not_there(two, endpoint: Endpoint):
    schema = endpoint.body.model_json_schema() if endpoint.body else {"const": None}
    bodies = values(schema, schema.get("$defs", {}), [])

    @settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(body=bodies)
    def compare(body):
        answers = []
        for owned in (True, False):
            path, written = endpoint.path, ""
            for name in endpoint.path_parameters:
                mine = two.owned.get(name, "xx_" + "0" * 26)
                written = written or mine
                value = mine if owned else mine[:-1] + ("y" if mine[-1] != "y" else "z")
                written = value if name == endpoint.path_parameters[0] else written
                path = path.replace(f"{{{name}}}", value)
            reply = two.runner.run(
                two.stranger.request(
                    endpoint.method,
                    path,
                    json=body if endpoint.body else None,
                    headers={"Idempotency-Key": str(uuid.uuid4())},
                )
            )
            answers.append(shown(reply, written))
        assert answers[0] == answers[1]
        assert answers[0][0] >= 400 or endpoint.name in {
            "limit_breaker",
            "set_breaker",
            "put_plan",
        }  # a name that is new to the tenant

    compare()


@pytest.mark.parametrize("endpoint", LISTS, ids=lambda endpoint: endpoint.name)
def test_a_list_shows_nothing_of_another_tenant(two, endpoint: Endpoint):
    if endpoint.query is not None and endpoint.query.model_json_schema().get("required"):
        pytest.skip("it asks for an id, which the other test covers")
    newcomer = two.runner.run(two.client.new_tenant("newcomer"))  # who has touched nothing yet
    strangers = two.runner.run(newcomer.get(endpoint.path)).text

    for owned in (*two.owned.values(), two.client.key.tenant_id, two.client.key.api_key_id):
        assert f'"{owned}"' not in strangers


def test_strategies_are_not_empty():
    assert isinstance(values({"const": None}, {}, []), st.SearchStrategy)
    assert len(ADDRESSED) > 10
    assert len(LISTS) > 3
