"""Which endpoints are audited follows from the table: none that manages or operates can be forgotten."""

import pytest

from omium.server.routes import list_endpoints
from omium.states import Scope

# Drivers' traffic, what only reads, and what people start: the events of an execution tell of it.
NOT_MANAGEMENT = {Scope.READ, Scope.RUN, Scope.WORKER, Scope.INGEST}
# What needs no particular scope and changes nothing that a person manages.
NOT_AUDITED = {
    "write": "drivers' writes; their events tell of them",
    "receive_payment_notice": "a payment provider's; the journal tells what was booked",
    "call_back": "a task's target, with the token of that task; the events of its execution tell of it",
    "receive_webhook": "whoever has a trigger's secret; its list of times tells what was started",
    "fetch_recorded": "reads",
    "exchange_key": "a short-lived token of the key itself, which can do nothing more; what it does is told",
}


def mutations():
    return [endpoint for endpoint in list_endpoints() if endpoint.method != "GET"]


@pytest.mark.parametrize("name", [endpoint.name for endpoint in mutations()])
def test_every_mutation_that_manages_or_operates_has_a_name_in_the_audit_log(name):
    endpoint = next(each for each in mutations() if each.name == name)
    if endpoint.scope in NOT_MANAGEMENT:
        return
    assert endpoint.audit is not None or name in NOT_AUDITED, (
        f"{name} changes something, so declare audit='noun.past_verb' on it"
    )
