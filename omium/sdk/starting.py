"""Starting: how an execution comes into this process: begun, taken up again, or claimed.

Owns the requests that end in a grant, and what a grant becomes here: a `Driving` with its lease and its book.
What then happens is life.py; who calls is run.py and worker.py. Ids and lease tokens are made here, so that a
start whose answer was lost is the same start when it is sent again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from omium.clock import Clock
from omium.errors import ConnectionLost
from omium.ids import new_id
from omium.jsonvalue import InputRecord, JsonValue, json_bytes
from omium.sdk.book import Book
from omium.sdk.driving import Driving, Link
from omium.sdk.exchange import exchange, new_idempotency_key, parse_answer
from omium.sdk.flows import Flow
from omium.sdk.lease import SYSTEM_CLOCK, Lease
from omium.sdk.options import NO_LABELS, Labels, WorkflowOptions
from omium.sdk.process import current_process
from omium.states import Durability

PATIENCE_S: Final = 15.0  # for a server that is restarting; a person waits at the other end


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer to a request for the right to drive; without `grant`, the execution is not ours to drive."""

    execution: Mapping[str, Any]
    grant: Mapping[str, Any] | None
    sent_us: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a new execution is begun with."""

    workflow: str
    input: InputRecord
    options: WorkflowOptions
    durability: Durability
    code: Mapping[str, object] | None = None
    execution_id: str | None = None
    idempotency_key: str | None = None
    max_microcredits: int | None = None
    """The execution's own limit of credits; without one, that of its workflow's options."""
    parent: tuple[str, str] | None = None
    """Id of the parent execution, and the path of the step in it that starts this one."""
    labels: Labels = NO_LABELS


def begin(beginning: Beginning, *, driver: str = "local", clock: Clock = SYSTEM_CLOCK) -> Flow[Granted]:
    """Start an execution: with driver `local` it is granted to this process, with `worker` it is queued."""
    body = make_start(beginning, driver=driver, clock=clock)
    key = beginning.idempotency_key or new_idempotency_key()
    relaxed = driver == "local" and beginning.durability is Durability.RELAXED
    return (yield from _ask("/v1/executions", body, key, 0.0 if relaxed else PATIENCE_S))


def make_start(
    beginning: Beginning, *, driver: str = "local", clock: Clock = SYSTEM_CLOCK
) -> dict[str, object]:
    """Return the `models.execution.StartExecution` that begins it."""
    local = driver == "local"
    derived = beginning.parent is not None or beginning.idempotency_key is not None
    body: dict[str, object] = {  # without an id it follows from the parent's step, or from the key
        "id": beginning.execution_id or (None if derived else new_id("ex", clock.now_us())),
        "workflow": beginning.workflow,
        "driver": driver,
        "queue": beginning.options.queue,
        "durability": (beginning.durability if local else Durability.STRICT).value,
        "takeover": beginning.options.takeover.value if local else "never",
        "input": beginning.input.json,
        "input_digest": beginning.input.digest,
        "comparable": beginning.input.comparable,
        "lease_token": new_lease_token() if local else None,
        "process": current_process().to_json() if local else None,
        "code": beginning.code,
        "parent_id": beginning.parent[0] if beginning.parent else None,
        "parent_path": beginning.parent[1] if beginning.parent else None,
    }
    limit = beginning.max_microcredits or beginning.options.max_microcredits
    if limit is not None:
        body["limits"] = {"max_microcredits": limit}
    if beginning.labels.tags:
        body["tags"] = list(beginning.labels.tags)
    if beginning.labels.business_key is not None:
        body["business_key"] = beginning.labels.business_key
    return body


def start_offline(
    beginning: Beginning, *, clock: Clock = SYSTEM_CLOCK
) -> tuple[Granted, Lease, dict[str, object]]:
    """Return what a relaxed start gives while the server is away: a grant, its lease, what to send later.

    The grant has epoch 1 and a token of its own; the server takes it as it is when it is back (3.7).
    """
    body = make_start(beginning, clock=clock)
    grant = make_offline_grant(body)
    sent_us = clock.boot_us()
    lease = Lease.from_grant(grant, sent_us=sent_us, durability=Durability.RELAXED)
    return Granted(grant["execution"], grant, sent_us), lease, {**body, "started_at_us": clock.now_us()}


def make_offline_grant(start: Mapping[str, object]) -> dict[str, Any]:
    """Return the grant that the driver of an offline `start` (a StartExecution) gives itself."""
    return {
        "execution": {
            "id": start["id"],
            "workflow": start["workflow"],
            "generation": 1,
            "durability": Durability.RELAXED.value,
            "status": "running",
        },
        "epoch": 1,
        "lease_token": start["lease_token"],
        "lease_s": 30.0,
        "heartbeat_s": 10.0,
        "self_fence_s": 20.0,
        "records": [],
        "checkpoints": {},
        "compensations": [],
    }


def take_up(
    execution_id: str,
    code: Mapping[str, object] | None = None,
    *,
    former_gone: int | None = None,
    lease_token: str | None = None,
) -> Flow[Granted]:
    """Go on with a stopped execution in this process.

    `former_gone` is the epoch whose process was seen to be gone on this host: a running one is taken over.
    With the `lease_token` of an earlier call whose answer was lost, it's answered with that grant.
    """
    body: dict[str, object] = {
        "former_gone": former_gone,
        "process": current_process().to_json(),
        "code": code,
        "lease_token": lease_token or new_lease_token(),
    }
    path = f"/v1/executions/{execution_id}/resume"
    return (yield from _ask(path, body, new_idempotency_key(), PATIENCE_S))


def new_lease_token() -> str:
    """Return a token for a grant that is about to be asked for (semantics 3.2: 128 random bits)."""
    return secrets.token_hex(16)


def hand_over(execution_id: str) -> Flow[dict[str, Any]]:
    """Let an execution go on wherever it's served; returns a `models.execution.ResumeAnswer` as JSON."""
    return (yield from call("POST", f"/v1/executions/{execution_id}/resume", {}, keyed=True))


def get_execution(execution_id: str) -> Flow[dict[str, Any]]:
    """Return a `models.execution.ExecutionDetail` as JSON."""
    return (yield from call("GET", f"/v1/executions/{execution_id}"))


def call(
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    keyed: bool = False,
    timeout_s: float = 30.0,
) -> Flow[dict[str, Any]]:
    """Send one request, patiently, and return its answer as JSON; {} where there is nothing to answer."""
    data = None if body is None else json_bytes(_as_json(body))
    answer = yield from exchange(
        method,
        path,
        data,
        idempotency_key=new_idempotency_key() if keyed else None,
        timeout_s=timeout_s,
        retry_for_s=PATIENCE_S,
    )
    parsed = parse_answer(answer)
    assert parsed is None or isinstance(parsed, dict)
    return parsed or {}


def make_driving(
    granted: Granted,
    link: Link,
    options: WorkflowOptions,
    *,
    durability: Durability | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Driving:
    """Return the drive that `granted` permits."""
    grant = granted.grant
    assert grant is not None
    execution = grant["execution"]
    lease = Lease.from_grant(
        grant, sent_us=granted.sent_us, durability=durability or Durability(execution["durability"])
    )
    driving = Driving(
        lease,
        Book(grant["records"]),
        link,
        workflow=execution["workflow"],
        generation=execution["generation"],
        on_pause=options.on_pause,
        timeout_s=options.timeout_s,
        on_worker=execution.get("driver") == "worker",
        clock=clock,
    )
    driving.checkpoints.update(grant["checkpoints"])
    return driving


def _ask(path: str, body: Mapping[str, object], key: str, patience_s: float) -> Flow[Granted]:
    try:
        answer = yield from exchange(
            "POST", path, json_bytes(_as_json(body)), idempotency_key=key, retry_for_s=patience_s
        )
    except ConnectionLost as error:
        error.add_note(
            "Omium: nothing was started. Start the server with `omium serve`, "
            "or say where it is with OMIUM_BASE_URL."
        )
        raise
    return read_granted(parse_answer(answer), answer.sent_us)


def read_granted(parsed: object, sent_us: int) -> Granted:
    """Return what an answer grants: a `models.driver.Grant`, or an execution that somebody else drives."""
    assert isinstance(parsed, dict)
    if "lease_token" in parsed:
        return Granted(parsed["execution"], parsed, sent_us)
    return Granted(parsed.get("execution", parsed), None, sent_us)


def _as_json(body: Mapping[str, object]) -> JsonValue:
    return dict(body)  # type: ignore[arg-type]  # made of JSON values by its callers
