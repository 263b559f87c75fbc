"""What a key has used: executions, steps, credits and tokens, by day of UTC."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import Field

from omium.errors import NotFound
from omium.models.keys import KeyUsage, KeyUsageDay, KeyUsagePart, ModelUsage
from omium.models.wire import Command
from omium.money import to_credits
from omium.server.db.tx import Tx
from omium.server.store import api_keys
from omium.server.store import key_usage as store
from omium.server.web.endpoint import Call, endpoint
from omium.states import Scope

DAYS_DEFAULT: Final = 30
DAYS_MAX: Final = 366
_FIRST: Final = dt.date(1970, 1, 1)


class UsageWindow(Command):
    """How many days, up to which; today by default."""

    days: Annotated[int, Field(ge=1, le=DAYS_MAX)] = DAYS_DEFAULT
    """How many days."""
    last_day: Annotated[dt.date, Field(ge=_FIRST, lt=dt.date(9999, 1, 1))] | None = None
    """The last of them, such as 2026-11-22; without it, today."""


@endpoint(
    "GET",
    "/v1/keys/{key_id}/usage",
    scope=Scope.READ,
    query=UsageWindow,
    reply=KeyUsage,
    summary="Show what an API key has used, by day",
    tags=("keys",),
)
async def get_key_usage(call: Call[None, UsageWindow]) -> KeyUsage:
    tenant_id, key_id = call.principal.tenant_id, call.path["key_id"]
    today = call.server.clock.now_us() // store.DAY_US
    last = today if call.query.last_day is None else (call.query.last_day - _FIRST).days
    first = max(last - call.query.days + 1, 0)

    def work(tx: Tx) -> KeyUsage:
        row = api_keys.find_tenant_key(tx, tenant_id, key_id)
        if row is None:
            raise NotFound
        return _make_usage(
            row,
            first,
            last,
            store.list_spending(tx, tenant_id, key_id, first, last),
            store.list_days(tx, tenant_id, key_id, first, last),
            store.list_models(tx, tenant_id, key_id, first, last),
        )

    return await call.read(work)


def _make_usage(
    row: api_keys.KeyRow,
    first: int,
    last: int,
    spending: Iterable[store.Spending],
    counted: Iterable[store.Day],
    used: Iterable[store.ModelDay],
) -> KeyUsage:
    spent = {each.day: each.spent_microcredits for each in spending}
    counts = {each.day: each for each in counted}
    models: defaultdict[int, list[store.ModelDay]] = defaultdict(list)
    for each in used:
        models[each.day].append(each)
    days = [
        KeyUsageDay(
            day=_FIRST + dt.timedelta(days=day),
            **_part(spent.get(day, 0), [counts[day]] if day in counts else [], models[day]).model_dump(),
        )
        for day in sorted({*spent, *counts, *models})
    ]
    everything = [each for day in models.values() for each in day]
    return KeyUsage(
        api_key_id=row.id,
        name=row.name,
        first_day=_FIRST + dt.timedelta(days=first),
        last_day=_FIRST + dt.timedelta(days=last),
        days=days,
        total=_part(sum(spent.values()), counts.values(), everything),
    )


def _part(
    spent_microcredits: int, counts: Iterable[store.Day], used: Iterable[store.ModelDay]
) -> KeyUsagePart:
    counts = list(counts)
    by_model: defaultdict[tuple[str, str], list[store.ModelDay]] = defaultdict(list)
    for each in used:
        by_model[each.provider, each.model].append(each)
    return KeyUsagePart(
        executions=sum(each.executions for each in counts),
        steps=sum(each.steps for each in counts),
        spent_microcredits=spent_microcredits,
        spent_credits=to_credits(spent_microcredits),
        models=[
            ModelUsage(
                provider=provider,
                model=model,
                calls=sum(each.calls for each in parts),
                input_tokens=sum(each.input_tokens for each in parts),
                output_tokens=sum(each.output_tokens for each in parts),
                cached_tokens=sum(each.cached_tokens for each in parts),
                reasoning_tokens=sum(each.reasoning_tokens for each in parts),
            )
            for (provider, model), parts in sorted(by_model.items())
        ],
    )


ENDPOINTS = [get_key_usage]
