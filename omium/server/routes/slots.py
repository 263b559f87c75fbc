"""Slots of concurrency keys: who runs under a key now, and who waits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.errors import InvalidRequest
from omium.models.slot import Slot
from omium.models.wire import Page
from omium.server.engine.views import view_slot
from omium.server.store import slot_lists
from omium.server.web.endpoint import Call, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page
from omium.states import Scope

TAGS = ("slots",)


class SlotsQuery(PageQuery):
    """Of one key, of one execution, or of all."""

    key: Annotated[str, Field(max_length=200)] = ""
    """Only of this concurrency key, in all environments."""
    execution_id: Annotated[str, Field(max_length=200)] = ""


@endpoint(
    "GET",
    "/v1/slots",
    scope=Scope.READ,
    query=SlotsQuery,
    reply=Page[Slot],
    problems=(InvalidRequest,),
    summary="List who runs under a concurrency key and who waits, in the order of their turn",
    tags=TAGS,
)
async def list_slots(call: Call[None, SlotsQuery]) -> Page[Slot]:
    query, after = call.query, slot_lists.BEGINNING
    if query.after is not None:
        environment, key, waits, asked_us, execution_id, path = decode_cursor(
            query.after, str, str, int, int, str, str
        )
        after = (str(environment), str(key), int(waits), int(asked_us), str(execution_id), str(path))
    rows = await call.read(
        lambda tx: slot_lists.list_slots(
            tx,
            call.principal.tenant_id,
            key=query.key,
            execution_id=query.execution_id,
            after=after,
            limit=query.limit + 1,
        )
    )
    return make_page(rows, query.limit, key=lambda row: row.place, item=view_slot)


ENDPOINTS = [list_slots]
