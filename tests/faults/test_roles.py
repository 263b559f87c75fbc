"""People and every operation: each role does what the table of roles says, and nobody else does anything.

Seven identities ask for everything: owner, admin, operator and viewer of the tenant, the owner of another
one, somebody whose session was ended, and nobody. tests/faults/test_tenants.py does the same with API keys.
"""

import itertools

import pytest

from omium.models.account import NewKey
from omium.states import ROLE_SCOPES, Role
from tests.faults.planted import plant
from tests.faults.test_tenants import without_what_was_asked
from tests.serverfixture import AppClient
from tests.web.test_tenancy_walk import WALKED, without_keys
from tests.web.walk import PASSWORD, PRIVATE, Ids, Walk

# About the person who asks: nobody's to refuse, and asking ends the session, or the walk.
OF_ONESELF = {
    "accept_invitation",
    "change_password",
    "delete_account",
    "leave_tenant",
    "list_sessions",
    "log_out",
    "revoke_other_sessions",
    "revoke_session",
    "switch_session",
}
ECHOED = f'"workflow":"{PRIVATE}"'  # some endpoints take it by its name, and repeat it
ASKED = [endpoint for endpoint in WALKED if endpoint.name not in OF_ONESELF and not endpoint.stream]


@pytest.fixture
def walk():
    made = Walk()
    yield made
    made.close()


def sign_up(walk: Walk, client: AppClient, name: str, role: str) -> AppClient:
    """Return a person of `role` in the tenant of `client`."""
    invitation = walk.send(client, "POST", "/v1/invitations", {"role": role}).json()["invitation_token"]
    body = {"user": name, "password": PASSWORD, "invitation": invitation}
    session = walk.send(client, "POST", "/v1/sign-up", body).json()
    return client.as_key(
        NewKey(
            tenant=session["tenant"],
            tenant_id=session["tenant_id"],
            api_key=session["session_token"],
            api_key_id=session["user_id"],
            name=name,
            environment="dev",
            scopes=[],
        )
    )


def list_asked(gate):
    """Return what is asked; with a planted bug, not what would end the walk."""
    return [endpoint for endpoint in ASKED if not (gate.bug and endpoint.name == "delete_tenant")]


def ask_by_role(gate, walk: Walk) -> None:
    """Each role is refused what it may not, with good arguments; what it may is not refused."""
    people = {role: sign_up(walk, walk.owner, f"an-{role.value}", role.value) for role in Role}
    before = without_keys(walk.snapshot())
    for (role, client), endpoint in itertools.product(people.items(), list_asked(gate)):
        if endpoint.scope is not None and endpoint.scope not in ROLE_SCOPES[role]:
            reply = walk.ask(client, endpoint, walk.ids)
            gate.tried(1, "requests")
            gate.lost(reply.status_code != 403, f"{role} got {reply.status_code} of {endpoint.name}")
            gate.lost(
                PRIVATE in without_what_was_asked(reply.text, walk.ids, ECHOED), f"{role}: {reply.text}"
            )
    gate.lost(without_keys(walk.snapshot()) != before, "a role did what it may not")
    for (role, client), endpoint in itertools.product(people.items(), ASKED):
        allowed = endpoint.scope is None or endpoint.scope in ROLE_SCOPES[role]
        if allowed and endpoint.name != "delete_tenant":
            reply = walk.ask(client, endpoint, Ids())  # nothing of the tenant: only the door is asked
            gate.tried(1, "requests")
            refused = (
                endpoint.scope is not None and reply.status_code == 403 and "scope-missing" in reply.text
            )
            shut = reply.status_code == 401 or refused
            gate.lost(shut, f"{role} may not {endpoint.name}: {reply.text}")


def ask_from_outside(gate, walk: Walk) -> None:
    """Nobody, and whoever was logged in before, get nothing; another tenant's owner finds nothing."""
    ended = sign_up(walk, walk.owner, "former", "owner")
    walk.settle(ended)
    walk.send(ended, "POST", "/v1/log-out")
    foreign = sign_up(walk, walk.stranger(), "foreign", "owner")
    before = without_keys(walk.snapshot())
    for endpoint in list_asked(gate):
        for name, client in (("nobody", walk.owner.as_nobody()), ("a former session", ended)):
            reply = walk.ask(client, endpoint, walk.ids)
            gate.tried(1, "requests")
            gate.lost(reply.status_code != 401, f"{name} got {reply.status_code} of {endpoint.name}")
        if endpoint.name != "delete_tenant":
            told = without_what_was_asked(walk.ask(foreign, endpoint, walk.ids).text, walk.ids, ECHOED)
            gate.tried(1, "requests")
            gate.lost(PRIVATE in told, f"another tenant's owner was told by {endpoint.name}: {told}")
    gate.lost(without_keys(walk.snapshot()) != before, "somebody from outside changed something")


@pytest.mark.gate(
    promise="A person does what the role allows, in the own tenant, for as long as the session lasts.",
    fault="Every operation, asked by four roles, another tenant's owner, an ended session, and nobody.",
)
def test_a_role_is_a_limit(gate, walk):
    ask_by_role(gate, walk)
    ask_from_outside(gate, walk)


@pytest.mark.planted(bug="Scopes are not compared", gate="test_a_role_is_a_limit")
def test_the_gate_catches_scopes_that_nobody_compares(trial, walk, monkeypatch):
    plant("no-scope-check", monkeypatch)
    ask_by_role(trial, walk)


@pytest.mark.planted(bug="Ended sessions still count", gate="test_a_role_is_a_limit")
def test_the_gate_catches_sessions_that_never_end(trial, walk, monkeypatch):
    plant("ended-sessions-count", monkeypatch)
    ask_from_outside(trial, walk)
