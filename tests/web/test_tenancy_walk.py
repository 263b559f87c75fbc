"""Two tenants and the whole endpoint table: who asks with another's ids learns nothing and changes nothing.

The owner has one of everything. Each endpoint is asked by strangers, once with the owner's ids and once with
ids that are nobody's, in arguments that would work for the owner: both answers must be the same. An endpoint
that is new has no arguments here yet, and fails until it has.
"""

import re
from dataclasses import fields

import pytest

from omium.ids import new_id
from omium.server.routes import list_endpoints
from omium.states import Scope
from tests.serverfixture import AppClient
from tests.web.walk import (
    ARGUMENTS,
    DIGEST,
    ID,
    PRIVATE,
    PROCESS,
    TOKEN,
    Ids,
    Walk,
    claim,
    graph_checkpoint,
    group,
    step_write,
    usage,
)

WALKED = [
    endpoint
    for endpoint in list_endpoints()
    if not endpoint.is_public and not (endpoint.stream and not endpoint.path_parameters)
]

LISTED = [  # every way to filter a list, each with something of the owner's in it
    ("GET", "/v1/executions", {}),
    ("GET", "/v1/executions", {"status": "failed"}),
    ("GET", "/v1/executions", {"workflow": PRIVATE}),
    ("GET", "/v1/executions", {"environment": "dev"}),
    ("GET", "/v1/executions", {"parent": "running"}),
    ("GET", "/v1/executions", {"replay_of": "failed"}),
    ("GET", "/v1/failures", {}),
    ("GET", "/v1/failures", {"status": "open"}),
    ("GET", "/v1/failures", {"workflow": PRIVATE}),
    ("GET", "/v1/failures", {"kind": "error"}),
    ("GET", "/v1/breakers", {}),
    ("GET", "/v1/usage", {}),
    ("GET", "/v1/workers", {}),
    ("GET", "/v1/keys", {}),
    ("GET", "/v1/members", {}),
    ("GET", "/v1/invitations", {}),
    ("POST", "/v1/graphs/list", {}),
    ("POST", "/v1/graphs/list", {"namespace": ""}),
    ("POST", "/v1/graphs/list", {"checkpoint_id": "1"}),
]
OF_THE_SERVER = {"make_backup", "verify_data", "set_prices", "restore_prices", "put_plan"}  # its operator's


@pytest.fixture(scope="module")
def walk():
    made = Walk()
    yield made
    made.close()


EACH = pytest.mark.parametrize("endpoint", WALKED, ids=lambda endpoint: endpoint.name)


def without_names(reply, ids: Ids) -> tuple[int, str]:
    """Return what an answer says without the ids that were asked for and those made for the answer."""
    text = reply.text
    for each in fields(ids):
        text = text.replace(getattr(ids, each.name), f"<{each.name}>")
    text = re.sub(
        r"om_[a-z]+_\w+|whsec_[\w+/=]+|omt_[\w.-]+|om[si]_\w+|stranger [0-9a-f-]{36}|rq_\w+",
        "<new>",
        ID.sub("<id>", text),
    )
    return reply.status_code, text


def test_every_endpoint_has_arguments_here():
    assert {endpoint.name for endpoint in WALKED} - ARGUMENTS.keys() == set(), "say how to ask it"
    assert ARGUMENTS.keys() - {endpoint.name for endpoint in WALKED} == set(), "it's gone"


@EACH
def test_the_owners_ids_are_nobodys_for_a_stranger(walk, endpoint):
    if endpoint.name in OF_THE_SERVER:
        pytest.skip("it is not a tenant's")
    before = walk.snapshot()
    nobodys = Ids()

    with_owners = walk.ask(walk.stranger(), endpoint, walk.ids)
    with_nobodys = walk.ask(walk.stranger(), endpoint, nobodys)

    assert without_names(with_owners, walk.ids) == without_names(with_nobodys, nobodys)
    assert with_owners.status_code < 500
    told = with_owners.text
    for each in fields(walk.ids):
        told = told.replace(getattr(walk.ids, each.name), "")  # what it asked for, it knows
    if endpoint.name == "estimate_workflow":  # its answer begins with the name that was asked for
        told = told.replace(f'"workflow":"{PRIVATE}"', "")
    assert PRIVATE not in told
    assert walk.snapshot() == before, "a stranger changed what is the owner's"


@pytest.mark.parametrize(("method", "path", "wanted"), LISTED)
def test_a_list_shows_a_stranger_nothing_that_it_shows_the_owner(walk, method, path, wanted):
    ids = vars(walk.ids)
    wanted = {
        name: ids[value] if name in ("parent", "replay_of") else value for name, value in wanted.items()
    }
    body, query = (wanted, None) if method == "POST" else (None, wanted)
    owners = walk.send(walk.owner, method, path, body, query)
    strangers = walk.send(walk.stranger(), method, path, body, query)

    assert PRIVATE in owners.text
    assert PRIVATE not in strangers.text
    assert len(strangers.json()["items"]) == (path == "/v1/keys")  # its own


INNER = {
    "end an effect": lambda own, ids: (
        "/v1/writes",
        {"groups": [group(own, step_write("e", type="effect.ended", effect_key=ids.effect, state="done"))]},
    ),
    "decide an effect": lambda own, ids: (
        f"/v1/executions/{own}/effects/{ids.effect}/decide",
        {"decision": "skip"},
    ),
    "fetch a checkpoint": lambda own, ids: (
        f"/v1/executions/{own}/records",
        {"paths": [f"$checkpoint/{ids.checkpoint}"]},
    ),
    "go back to a checkpoint": lambda own, ids: (
        f"/v1/executions/{own}/rollback/plan",
        {"to_checkpoint": ids.checkpoint},
    ),
    "report under its ids": lambda own, ids: (
        "/v1/writes",
        {
            "groups": [
                group(own, {"type": "failure.captured", "id": ids.failure, "error": {"message": "m"}}),
                group(own, {"type": "usage.recorded", "usage": usage(ids.usage, ids.running)}),
            ]
        },
    ),
    "save a graph's thread": lambda own, ids: (
        "/v1/graphs/put",
        {
            "lease": {"execution_id": own, "epoch": 1, "lease_token": TOKEN},
            "checkpoints": [graph_checkpoint(ids)],
        },
    ),
    "take an outcome": lambda own, ids: (
        f"/v1/executions/{own}/replay",
        {"decisions": [{"path": "e", "decision": "confirm", "output": ids.effect}]},
    ),
}


def begin_own(walk: Walk, client: AppClient, execution_id: str) -> None:
    start = {"id": execution_id, "workflow": "own", "driver": "local", "input_digest": DIGEST}
    start |= {"lease_token": TOKEN, "process": PROCESS}
    assert walk.send(client, "POST", "/v1/executions", start).status_code == 200


@pytest.mark.parametrize("name", INNER)
def test_a_strangers_own_execution_gives_it_nothing_of_the_owners(walk, name):
    before, answers = walk.snapshot(), []
    for ids in (walk.ids, Ids()):
        client, own = walk.stranger(), new_id("ex", 1)
        begin_own(walk, client, own)
        reply = walk.send(client, "POST", *INNER[name](own, ids))
        shown = walk.send(client, "GET", f"/v1/executions/{own}")
        answers.append((without_names(reply, ids), without_names(shown, ids)))
        assert reply.status_code < 500

    assert answers[0] == answers[1]
    assert walk.snapshot() == before


def test_the_counters_of_a_stranger_are_zero(walk):
    owners, strangers = (
        walk.send(client, "GET", "/v1/status").json() for client in (walk.owner, walk.stranger())
    )
    counted = ["running", "queued", "open_failures", "executions_today", "workers"]

    assert all(owners[name] > 0 for name in counted)
    assert [strangers[name] for name in (*counted, "waiting", "paused")] == [0] * 7
    assert strangers["success_rate"] is None
    assert strangers["unserved"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/executions",
            lambda ids: {"id": ids.failed, "workflow": "w", "driver": "worker", "input_digest": DIGEST},
        ),
        ("/v1/workers/claim", claim),
    ],
)
def test_an_id_that_the_owners_client_made_cannot_be_taken_over(walk, path, body):
    before = walk.snapshot()
    reply = walk.send(walk.stranger(), "POST", path, body(walk.ids))

    assert 400 <= reply.status_code < 500
    assert PRIVATE not in reply.text.replace(walk.ids.worker, "")
    assert walk.snapshot() == before


def test_a_strangers_worker_is_given_nothing_of_the_owners_queue(walk):
    before = walk.snapshot()
    reply = walk.send(walk.stranger(), "POST", "/v1/workers/claim", claim(Ids(worker="idle")))

    assert reply.json() == {"grants": [], "tasks": [], "pending": 0, "neighbours": []}
    assert walk.snapshot() == before


def test_a_checkpoint_of_the_owner_is_not_overwritten(walk):
    before, client, own = walk.snapshot(), walk.stranger(), new_id("ex", 1)
    begin_own(walk, client, own)
    saved = {"type": "checkpoint.saved", "id": walk.ids.checkpoint, "name": "n", "at_us": 1}

    reply = walk.send(client, "POST", "/v1/writes", {"groups": [group(own, saved)]})

    assert reply.json()["groups"][0]["results"][0]["problem"]["code"] == "step-conflict"
    assert PRIVATE not in reply.text
    assert walk.snapshot() == before


@pytest.mark.parametrize("only", [Scope.READ, Scope.WORKER], ids=str)
def test_a_key_with_one_scope_gets_no_further_with_ids_that_are_there(walk, only):
    before = walk.snapshot()
    key = walk.runner.run(walk.owner.new_key(only))
    refused = [endpoint for endpoint in WALKED if endpoint.scope not in (None, only)]
    if only is Scope.READ:
        refused += [each for each in WALKED if each.name in ("write", "fetch_recorded")]

    codes = {
        endpoint.name: walk.ask(walk.owner.as_key(key), endpoint, walk.ids).json()["code"]
        for endpoint in refused
    }

    assert set(codes.values()) == {"scope-missing"}
    walk.runner.run(walk.owner.post(f"/v1/keys/{key.api_key_id}/revoke"))
    assert without_keys(walk.snapshot()) == without_keys(before)


def without_keys(snapshot: str) -> list[str]:
    return [line for line in snapshot.splitlines() if "last_used_at_us" not in line]


@pytest.mark.parametrize(
    "endpoint",
    [each for each in WALKED if not each.stream and each.name != "delete_tenant"],  # it ends the walk
    ids=lambda endpoint: endpoint.name,
)
def test_the_same_request_finds_what_it_asks_for_when_the_owner_sends_it(walk, endpoint):
    # The last in this file, because it changes things; it shows that the arguments above are good ones.
    reply = walk.ask(walk.owner, endpoint, walk.ids)

    assert reply.status_code < 500
    assert reply.status_code != 404, reply.text
    assert reply.status_code != 400, reply.text
