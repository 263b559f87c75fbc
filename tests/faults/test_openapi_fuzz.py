"""Fuzzing by the OpenAPI document, as each role: no 5xx, nothing that the document does not say.

The server runs in this process with a manual clock; requests go in and out as ASGI messages, some at once, so
that they meet. Afterwards the stored data must still be sound. How cases are made is fuzzing.py.
"""

import asyncio
import json
from collections import Counter

import pytest

from omium.models.account import NewKey
from omium.server.routes import list_endpoints
from omium.server.web.openapi import build_openapi
from omium.states import Scope
from tests.faults.answers import Judge
from tests.faults.fuzzing import Case, Drawer
from tests.faults.planted import plant
from tests.faults.test_roles import OF_ONESELF
from tests.web.walk import ARGUMENTS, Ids, Walk, step_write

ROLES = {
    "owner": tuple(Scope),
    "operator": (Scope.READ, Scope.RUN, Scope.OPERATE),
    "viewer": (Scope.READ,),
    "worker": (Scope.WORKER, Scope.RUN),
    "nobody": (),
}
AT_ONCE = 8
RENEWED_AFTER = 500
RARELY = {"make_backup", "verify_data", "get_metrics", "get_openapi"}  # slow, and always the same
OF_PEOPLE = OF_ONESELF | {"create_tenant"}  # a key, however much it may, is nobody who could log out
OF_TASKS = {"complete_task", "fail_task"}  # who was granted a node says this of it, under the grant's token
THE_END = {"delete_tenant"}  # nothing is left to ask for afterwards
DOCUMENT = json.loads(build_openapi(list_endpoints()))
STREAMS = {endpoint.name for endpoint in list_endpoints() if endpoint.stream}


def list_operations(scopes: tuple[Scope, ...]) -> list[tuple[str, str, object]]:
    """Return (path, method, operation) of all, those that a key with `scopes` may use more often."""
    operations = []
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            name, scope = operation["operationId"], operation.get("x-omium-scope")
            often = 10 if scope in scopes or (scope is None and scopes) or not operation["security"] else 1
            if name not in STREAMS | THE_END:
                operations += [(path, method, operation)] * (1 if name in RARELY else often)
    return operations


class Fuzzed(Walk):
    """A server with one of everything, again and again: cases cancel, complete and remove what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = Judge(DOCUMENT)
        self.seen: Counter[tuple[str, int]] = Counter()
        self._leave_unknown()

    def renew(self) -> None:
        """Make one of everything anew, under other ids where they are ours to choose."""
        kept = {name: getattr(self.ids, name) for name in ("worker", "breaker", "thread", "run", "step")}
        self.ids = Ids(**kept, usage=f"usage-private-{self.ids.running}")
        self.owner.clock.advance(3_600)  # whoever was kept waiting for wrong log-ins has waited
        self._fill()
        self._leave_unknown()

    def _leave_unknown(self) -> None:
        """Leave an effect of which nobody knows what became of it."""
        effect = self._write(self.ids.running, step_write("u", type="effect.intended", kind="effect"))[0]
        key = self.unknown = effect["effect"]["effect_key"]
        ended = step_write("u", type="effect.ended", kind="effect", effect_key=key, state="unknown")
        self._write(self.ids.running, ended)

    def draw(self, role: str, seeds: list[str]) -> list[Case]:
        names = [*(value for value in vars(self.ids).values() if isinstance(value, str)), "e", "f"]
        drawer = Drawer(DOCUMENT, list_operations(ROLES[role]), names, self._find_good)
        return [drawer.draw(seed) for seed in seeds]

    def _find_good(self, name: str):
        if name not in ARGUMENTS:
            return (), {}, None
        asked = ARGUMENTS[name](self.ids)
        match name:  # as somebody would ask who wants it to happen
            case "replay_execution":
                return asked.path, {"from_step": "f"}, None
            case "decide_effect":
                return (self.ids.running, self.unknown), {"decision": "confirm", "output": 1}, None
        return asked.path, asked.body, asked.query

    def make_key(self, role: str) -> NewKey | None:
        return self.runner.run(self.owner.new_key(*ROLES[role])) if ROLES[role] else None

    def send_all(self, cases: list[Case], key: NewKey | None) -> list[str]:
        """Send `cases`, some at once, and return what was wrong with the answers."""
        return self.runner.run(self._send_all(cases, key))

    async def _send_all(self, cases: list[Case], key: NewKey | None) -> list[str]:
        faults = []
        for first in range(0, len(cases), AT_ONCE):
            self.owner.clock.advance(seconds=1)  # nobody runs into a rate
            together = cases[first : first + AT_ONCE]
            faults += filter(None, await asyncio.gather(*(self._send(case, key) for case in together)))
        return faults

    async def _send(self, case: Case, key: NewKey | None) -> str | None:
        sent = {"host": "localhost", **case.headers}
        if key is not None:
            sent["authorization"] = f"Bearer {key.api_key}"
        scope = {
            "type": "http",
            "method": case.method,
            "path": case.path,
            "raw_path": case.path.encode(),
            "query_string": case.query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
        }
        messages = [{"type": "http.request", "body": case.body, "more_body": False}]
        head: dict[str, object] = {}
        body = bytearray()

        async def receive():
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                body.extend(message.get("body", b""))

        await self.owner.app(scope, receive, send)
        self.seen[case.operation, head["status"]] += 1
        media_type = dict(head["headers"]).get(b"content-type", b"").decode()
        fault = self.judge.find_fault(case.operation, head["status"], media_type, bytes(body))
        return fault and f"{fault}\n    {case}\n    {bytes(body[:500])!r}"


@pytest.fixture
def server():
    made = Fuzzed()
    yield made
    made.close()


def fuzz(gate, server: Fuzzed, role: str, cases: int) -> None:
    """Send `cases` requests as `role` and count what the document does not say."""
    key = server.make_key(role)
    portion = RENEWED_AFTER if gate.bug is None else 50
    for first in range(0, cases, portion):
        if first:
            server.renew()
        seeds = [f"{gate.seed} {role} {number}" for number in range(first, min(first + portion, cases))]
        for fault in server.send_all(server.draw(role, seeds), key):
            gate.lost(1, f"as {role}: {fault}")
        gate.tried(len(seeds), "requests")
        gate.show_progress(first, cases)
        if gate.bug is not None and gate.losses:
            return
    unsound = server.get("/v1/admin/verify")["problems"]
    gate.lost(len(unsound), f"the stored data is not sound afterwards: {unsound}")


@pytest.mark.gate(
    promise="Whatever is sent, the server answers what its OpenAPI document says, and never with a 5xx.",
    fault="Requests drawn from the document, half of them broken in one place, naming things that exist.",
)
@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_in_the_openapi_document(gate, server, role):
    fuzz(gate, server, role, gate.rounds(short=5_000, long=100_000))

    scopes = ROLES[role]
    allowed = {
        operation["operationId"]
        for _, _, operation in list_operations(scopes)
        if scopes and operation.get("x-omium-scope", "read") in scopes and operation["security"]
    } - (OF_PEOPLE | OF_TASKS)
    good = {name for name, status in server.seen if status < 300}
    gate.figure(f"operations answered well, as {role}", len(good))
    assert len(allowed & good) >= 0.9 * len(allowed), f"it only knocks at the door: {allowed - good}"


@pytest.mark.planted(bug="An unknown id is a 500", gate="test_every_answer_is_in_the_openapi_document")
def test_the_gate_catches_a_500(trial, server, monkeypatch):
    plant("unknown-id-breaks", monkeypatch)
    fuzz(trial, server, "viewer", 5_000)


@pytest.mark.planted(
    bug="An answer with an undescribed member", gate="test_every_answer_is_in_the_openapi_document"
)
def test_the_gate_catches_a_member_that_is_not_described(trial, server, monkeypatch):
    plant("answers-more-than-described", monkeypatch)
    fuzz(trial, server, "viewer", 5_000)
