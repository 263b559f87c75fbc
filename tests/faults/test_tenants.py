"""Two tenants and every operation: whoever is not the owner learns nothing and changes nothing.

Seven identities ask for everything that the owner has, by its right names, and a stranger by every id that
the owner can see anywhere. tests/web/test_tenancy_walk.py says what holds operation by operation.
"""

import itertools
import re

import pytest

from omium.apikeys import make_api_key
from omium.ids import new_id
from omium.states import Scope
from tests.faults.planted import plant
from tests.web.test_tenancy_walk import OF_THE_SERVER, WALKED, without_keys, without_names
from tests.web.walk import ARGUMENTS, ID, PRIVATE, SEEN_BY_THE_OWNER, Ids, Walk

ADDRESSED = [endpoint for endpoint in WALKED if endpoint.path_parameters and not endpoint.stream]


@pytest.fixture
def walk():
    made = Walk()
    yield made
    made.close()


def list_intruders(walk: Walk):
    """Return (name, client, statuses that it may get) of six who are not let in at all."""
    owner = walk.owner
    revoked, expired = walk.runner.run(owner.new_key()), walk.runner.run(owner.new_key(expires_us=1))
    walk.send(owner, "POST", f"/v1/keys/{revoked.api_key_id}/revoke")
    token = owner.api_key
    tokens = {
        "mistyped": token[:-1] + ("x" if token[-1] != "x" else "y"),
        "unknown": make_api_key("dev", new_id("ak", 1)).token,
        "forged": make_api_key("dev", owner.key.api_key_id).token,
        "revoked": revoked.api_key,
        "expired": expired.api_key,
    }
    made = {
        name: owner.as_key(owner.key.model_copy(update={"api_key": each})) for name, each in tokens.items()
    }
    return [("nobody", owner.as_nobody()), *made.items()]


# These take any name, which is free in each tenant; `delete_secret` finds the stranger's own of that name.
NAMED_FREELY = frozenset(
    {"limit_breaker", "set_breaker", "set_secret", "delete_secret", "put_plan", "estimate_workflow"}
)


def ask_as_intruders(gate, walk: Walk) -> None:
    intruders = list_intruders(walk)
    before = without_keys(walk.snapshot())
    for (name, client), endpoint in itertools.product(intruders, WALKED):
        walk.owner.clock.advance(seconds=0.02)  # so many refusals at once would exhaust the address
        reply = walk.ask(client, endpoint, walk.ids)
        gate.tried(1, "requests")
        told = without_what_was_asked(reply.text, walk.ids)
        gate.lost(reply.status_code != 401, f"{name} got {reply.status_code} of {endpoint.name}")
        gate.lost(PRIVATE in told, f"{name} was told by {endpoint.name}: {told}")
    gate.lost(without_keys(walk.snapshot()) != before, "an intruder changed what is the owner's")


def ask_as_stranger(gate, walk: Walk) -> None:
    """Ask with the owner's ids and with nobody's: both answers must be the same."""
    before = walk.snapshot()
    for endpoint in WALKED:
        if endpoint.name in OF_THE_SERVER or (endpoint.stream and gate.bug):  # it would not end
            continue
        nobodys = Ids()
        with_owners = walk.ask(walk.stranger(), endpoint, walk.ids)
        with_nobodys = walk.ask(walk.stranger(), endpoint, nobodys)
        gate.tried(1, "requests")
        same = without_names(with_owners, walk.ids) == without_names(with_nobodys, nobodys)
        gate.lost(not same, f"{endpoint.name} tells what is there: {with_owners.text} {with_nobodys.text}")
        told = without_what_was_asked(with_owners.text, walk.ids)
        echoed = endpoint.name in NAMED_FREELY
        gate.lost(PRIVATE in told and not echoed, f"a stranger was told by {endpoint.name}: {told}")
    gate.lost(walk.snapshot() != before, "a stranger changed what is the owner's")


def ask_by_harvested_ids(gate, walk: Walk) -> None:
    """Ask every addressed operation for every id that stands in anything that the owner can read."""
    seen = [walk.send(walk.owner, "GET", path.format(**vars(walk.ids))).text for path in SEEN_BY_THE_OWNER]
    shown = "\n".join(seen)
    names = {*ID.findall(shown), *re.findall(r'"(?:effect_key|key|name|id)":"([^"]{1,80})"', shown)}
    harvested = sorted(names - {walk.owner.key.api_key_id})
    stranger, before = walk.stranger(), walk.snapshot()
    for endpoint, name in itertools.product(ADDRESSED, harvested):
        asked = ARGUMENTS[endpoint.name](walk.ids)
        path = endpoint.path
        for parameter, value in zip(endpoint.path_parameters, (name, *asked.path[1:]), strict=True):
            path = path.replace(f"{{{parameter}}}", "".join(f"%{byte:02x}" for byte in value.encode()))
        reply = walk.send(stranger, endpoint.method, path, asked.body, asked.query)
        gate.tried(1, "requests")
        told = without_what_was_asked(reply.text, walk.ids, name)
        found = reply.status_code < 400 and endpoint.name not in NAMED_FREELY
        gate.lost(found, f"{endpoint.name} found {name}: {told}")
        gate.lost(PRIVATE in told, f"{endpoint.name} told about {name}: {told}")
    gate.lost(walk.snapshot() != before, "a stranger changed what is the owner's")
    gate.figure("harvested names", len(harvested))


def ask_without_the_scope(gate, walk: Walk) -> None:
    before = without_keys(walk.snapshot())
    for scope in Scope:
        client = walk.owner.as_key(walk.runner.run(walk.owner.new_key(scope)))
        for endpoint in WALKED:
            if endpoint.scope not in (None, scope):
                reply = walk.ask(client, endpoint, walk.ids)
                gate.tried(1, "requests")
                gate.lost(
                    reply.status_code != 403, f"scope {scope} got {reply.status_code} of {endpoint.name}"
                )
                gate.lost(PRIVATE in without_what_was_asked(reply.text, walk.ids), reply.text)
    kept = [line for line in without_keys(walk.snapshot()) if "test key" not in line]
    gate.lost(kept != [line for line in before if "test key" not in line], "a key did what it may not")


def without_what_was_asked(told: str, ids: Ids, *more: str) -> str:
    for each in (*vars(ids).values(), *more):
        told = told.replace(str(each), "")
    return told


@pytest.mark.gate(
    promise="Of another tenant's things nobody learns or changes anything, whatever name they know.",
    fault="Every operation, asked by seven identities with the right names, and with every harvested one.",
)
def test_nobody_learns_or_changes_what_is_anothers(gate, walk):
    ask_as_intruders(gate, walk)
    ask_without_the_scope(gate, walk)
    ask_as_stranger(gate, walk)
    ask_by_harvested_ids(gate, walk)


@pytest.mark.planted(bug="No tenant in the WHERE", gate="test_nobody_learns_or_changes_what_is_anothers")
def test_the_gate_catches_a_missing_tenant_filter(trial, walk, monkeypatch):
    plant("no-tenant-filter", monkeypatch)
    ask_as_stranger(trial, walk)
