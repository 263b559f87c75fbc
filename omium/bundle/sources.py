"""Sources: which questions to the API answer what about an execution.

Owns the table of an execution's lists, what of an item is a value, and which values were too long for their
list. Where the answers go is collecting.py's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel

from omium.models.approval import Approval
from omium.models.execution import Checkpoint, ExecutionDetail, ListedExecution, Step
from omium.models.failure import FailureDetail
from omium.models.replay import EffectView
from omium.models.wire import Page
from omium.sdk.async_client import AsyncClient

T = TypeVar("T")
Pages: TypeAlias = AsyncIterator[Sequence[BaseModel]]

PAGE: Final = 100
APPROVALS_LOOKED_AT: Final = 1_000
NULL_BYTES: Final = 4  # `null` itself is whole
_OUTCOMES: Final = ("input", "output")
VALUES: Final[Mapping[type[BaseModel], tuple[str, ...]]] = {
    ExecutionDetail: _OUTCOMES,
    Step: _OUTCOMES,
    EffectView: _OUTCOMES,
    Checkpoint: ("state",),
    Approval: ("inputs",),
}
"""Which members hold what the user's code took and gave: left out of a bundle without values."""


@dataclass(frozen=True, slots=True)
class LongValue:
    """A value that its list shows only the size of."""

    execution_id: str
    folder: str
    kind: str
    """values: a step's output, by its path; states: a checkpoint's, by its id."""
    name: str
    size_bytes: int


def _all(list_page: Callable[..., Awaitable[Page[Any]]], *args: str, **query: object) -> Pages:
    return list_pages(list_page, *args, **query)


async def _list_approvals(client: AsyncClient, execution_id: str) -> Pages:
    """Yield what an execution waits for a person with: the API lists that of all executions together."""
    async for page in take_first(list_pages(client.list_approvals), APPROVALS_LOOKED_AT):
        yield [each for each in page if each.execution_id == execution_id]


async def list_pages(
    list_page: Callable[..., Awaitable[Page[T]]], /, *args: str, **query: object
) -> AsyncIterator[list[T]]:
    """Yield the pages of a list."""
    while True:
        page = await list_page(*args, limit=PAGE, **query)
        yield page.items
        if page.next is None:
            return
        query["after"] = page.next


def list_sources(client: AsyncClient, execution_id: str, *, with_logs: bool) -> Iterator[tuple[str, Pages]]:
    """Yield every list of an execution: the name of its parts, and its pages."""
    for what, list_page in (
        ("steps", client.list_steps),
        ("attempts", client.list_attempts),
        ("events", client.list_events),
        ("checkpoints", client.list_checkpoints),
        ("effects", client.list_effects),
        ("compensations", client.list_compensations),
    ):
        yield what, _all(list_page, execution_id)
    if with_logs:
        yield "logs", _all(client.list_logs, execution_id)
    yield "approvals", _list_approvals(client, execution_id)
    yield "usage", _all(client.list_usage, execution_id=execution_id)
    yield "charges", _all(client.list_credit_history, execution=execution_id, unfolded=True)
    yield "folded", _all(client.list_credit_history, execution=execution_id)


def list_related(
    client: AsyncClient, execution_id: str
) -> Iterator[tuple[str, AsyncIterator[list[ListedExecution]]]]:
    """Yield the executions that came from one: its children, and its replays."""
    yield "children", list_pages(client.list_executions, parent=execution_id)
    yield "replays", list_pages(client.list_executions, replay_of=execution_id)


async def take_first(pages: AsyncIterator[list[T]], count: int) -> AsyncIterator[list[T]]:
    """Yield pages until `count` items have come."""
    async for page in pages:
        yield page[:count]
        count -= len(page)
        if count <= 0:
            return


async def one_page(items: Sequence[BaseModel]) -> Pages:
    """Yield `items` as a list of one page."""
    yield items


def as_listed(detail: ExecutionDetail) -> ListedExecution:
    """Return an execution as lists show it."""
    return ListedExecution.model_construct(
        **{name: getattr(detail, name) for name in ListedExecution.model_fields}
    )


def without_outcomes(detail: FailureDetail) -> FailureDetail:
    """Return a failure without what its effects took and gave."""
    bare = [
        effect | dict.fromkeys(_OUTCOMES) if isinstance(effect, dict) else None for effect in detail.effects
    ]
    return detail.model_copy(update={"effects": bare})


def find_long_value(item: BaseModel, execution_id: str, folder: str) -> LongValue | None:
    """Return the value of a step or checkpoint that its list left out for its length; None if there is none.

    What is superseded has no address of its own, and what is sealed is short: `[sealed]`.
    """
    if isinstance(item, Step) and item.output is None and item.superseded_seq is None:
        kind, name, size_bytes = "values", item.key, item.output_size_bytes
    elif isinstance(item, Checkpoint) and item.state is None:
        kind, name, size_bytes = "states", item.id, item.state_size_bytes
    else:
        return None
    if size_bytes is None or size_bytes <= NULL_BYTES:
        return None
    return LongValue(execution_id, folder, kind, name, size_bytes)


async def fetch_value(client: AsyncClient, value: LongValue) -> BaseModel:
    """Return the answer that holds a value whole."""
    if value.kind == "values":
        return await client.get_step_value(value.execution_id, path=value.name)
    return await client.get_checkpoint(value.execution_id, value.name)
