"""Task grants: what a worker, or whoever is called instead, is handed of the nodes that it does.

Owns the asynchronous entrance to claiming: tokens are made before the transaction, and what is needed to do a
task is read after it. Whose turn it is is nodes/claiming.py; who asks is a route or omium/server/webhooks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from omium.models.tasks import Task
from omium.server.db.tx import Tx
from omium.server.engine.grants import digest_token
from omium.server.engine.nodes.broken import past_broken, work_of
from omium.server.engine.nodes.tasks import TaskLease, TaskScope, claim_tasks, grant_task
from omium.server.engine.parts import EngineParts
from omium.server.store import claimable
from omium.server.store.activations import ActivationRow

EXECUTIONS_MAX: Final = 20
"""How many executions one claim looks at; the next claim goes on."""
WORKER: Final = "worker"


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody works, and what he does there. `workflows` None: of any workflow."""

    tenant_id: str
    environment: str
    queue: str
    handlers: tuple[str, ...]
    workflows: frozenset[str] | None = None

    def scope(self) -> TaskScope:
        return TaskScope(
            executor=WORKER,
            tenant_id=self.tenant_id,
            environment=self.environment,
            queue=self.queue,
            handlers=self.handlers,
            workflows=self.workflows,
        )


Also = Callable[[Tx, ActivationRow, str], None]
"""What is done with a task and the digest of its token in the transaction that grants it."""


async def claim_for(
    parts: EngineParts,
    place: Place,
    worker_id: str,
    tokens: Sequence[str],
    also: Also | None = None,
) -> list[Task]:
    """Grant up to as many tasks as there are `tokens`, and return what is needed to do them.

    The process dies after a commit: nobody learns of that grant, and it runs out with its lease.
    """
    given: list[tuple[ActivationRow, str]] = []
    scope, digests = place.scope(), [digest_token(token) for token in tokens]
    for _ in range(EXECUTIONS_MAX):
        left = digests[len(given) :]
        if not left:
            break

        def work(tx: Tx, left: list[str] = left) -> tuple[list[ActivationRow], bool]:
            claim = claim_tasks(tx, parts, scope, len(left), left, worker_id)
            if also is not None:
                for row, digest in zip(claim.tasks, left, strict=False):
                    also(tx, row, digest)
            return claim.tasks, claim.looked_at is not None

        rows, more = await past_broken(parts, parts.db.write(work), ([], True))
        given += [(row, tokens[len(given) + position]) for position, row in enumerate(rows)]
        if not more:
            break
    tasks = []
    for row, token in given:
        reading = parts.db.read(partial(_view, parts=parts, row=row, token=token))
        task = await past_broken(parts, reading, None)
        if task is not None:  # else its lease runs out
            tasks.append(task)
    return tasks


def count_ready(tx: Tx, place: Place) -> int:
    """Return how many tasks are ready there, up to a few; reads only."""
    return sum(
        len(
            claimable.list_for_worker(
                tx, place.tenant_id, place.environment, place.queue, WORKER, handler, place.workflows
            )
        )
        for handler in place.handlers
    )


def make_lease(tenant_id: str, execution_id: str, path: str, epoch: int, token: str) -> TaskLease:
    """Return what a grant is checked by."""
    return TaskLease(tenant_id, execution_id, path, epoch, digest_token(token))


def _view(tx: Tx, parts: EngineParts, row: ActivationRow, token: str) -> Task:
    with work_of(row.tenant_id, row.execution_id):
        grant = grant_task(tx, parts, row)
    return Task(
        execution_id=grant.execution_id,
        path=grant.path,
        node=grant.node,
        type=grant.type,
        handler=row.handler,
        workflow=grant.workflow,
        environment=grant.environment,
        attempt=grant.attempt,
        epoch=grant.epoch,
        token=token,
        lease_s=parts.policy.lease_s,
        heartbeat_s=parts.policy.heartbeat_s,
        timeout_s=grant.timeout_s,
        inputs=grant.inputs,
        parameters=grant.parameters,
        agent=grant.agent,
        tools=grant.tools,
        effect_key=grant.effect_key,
    )
