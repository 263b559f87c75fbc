"""Broken: one execution whose work cannot be done must not keep the others from theirs.

A sweep, a claim or a judgement takes what comes first, for all tenants. Where the work of one execution
raises what nobody expects, its transaction is undone, and all of that execution's nodes are put off for a
while: what stands behind them goes on, and the execution is tried again, once in `PUT_OFF_US`. What the
database itself says (it is busy, it is full, it stops) is nobody's fault, and goes through.

If the process dies between the two transactions, the next one finds the fault again. Two servers at once put
off twice, which is the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

from omium.clock import US_PER_S
from omium.errors import OutcomeUnknown, ShuttingDown, StorageBusy, StorageError, StorageFull
from omium.logs import get_logger
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.store import due
from omium.server.store.executions import lock_if_there

PUT_OFF_US: Final = 60 * US_PER_S
_OF_THE_DATABASE: Final = (OutcomeUnknown, ShuttingDown, StorageBusy, StorageError, StorageFull)

T = TypeVar("T")
log = get_logger(__name__)


class BrokenExecution(Exception):
    """The work of one execution has raised; its cause says what."""

    def __init__(self, tenant_id: str, execution_id: str) -> None:
        super().__init__(execution_id)
        self.tenant_id = tenant_id
        self.execution_id = execution_id


@contextmanager
def work_of(tenant_id: str, execution_id: str) -> Iterator[None]:
    """Name the execution whose work is done inside, should that raise: raises `BrokenExecution` then."""
    try:
        yield
    except _OF_THE_DATABASE:
        raise
    except Exception as error:  # the boundary: one execution's fault must not stop the others
        raise BrokenExecution(tenant_id, execution_id) from error


async def past_broken(parts: EngineParts, doing: Awaitable[T], otherwise: T) -> T:
    """Return what `doing` gives; where an execution is broken, it is put off, and `otherwise` returned."""
    try:
        return await doing
    except BrokenExecution as broken:
        log.exception("nodes could not be brought on; tried again later", execution=broken.execution_id)
        await parts.db.write(partial(put_off, tenant_id=broken.tenant_id, execution_id=broken.execution_id))
        return otherwise


def put_off(tx: Tx, tenant_id: str, execution_id: str) -> None:
    """Let nothing of an execution be taken up for a while; called twice, it is put off once more."""
    if lock_if_there(tx, tenant_id, execution_id) is not None:
        due.put_off(tx, execution_id, PUT_OFF_US)
