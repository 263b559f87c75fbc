"""Credits: how they stand, their history, and what the operator books by hand.

What the operator books needs the scope `server`: it makes credits out of nothing, for any tenant. In each the
entry, its chain and the record of the request are one transaction: if the process dies before its commit
nothing was booked, after it a repeat gives the same answer.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from omium.errors import IdempotencyMismatch, InvalidRequest, NotFound
from omium.models.credits import (
    AdjustCredits,
    CreditEntry,
    Credits,
    EntryKind,
    GrantCredits,
    LowCredits,
    RefundEntry,
)
from omium.models.wire import Page, TimestampUs
from omium.money import MICROCREDITS_PER_CREDIT
from omium.server.db.tx import Tx
from omium.server.ledger import funding
from omium.server.ledger.book import About
from omium.server.ledger.history import HistoryFilter, list_history
from omium.server.ledger.state import choose_threshold
from omium.server.ledger.views import view_credits, view_entry, view_line
from omium.server.store import tenants
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, encode_cursor, read_number_cursor
from omium.states import Scope

TAGS = ("credits",)


@endpoint(
    "GET",
    "/v1/credits",
    scope=Scope.READ,
    reply=Credits,
    summary="Show how credits stand: balance, held, owed, and when they run out at this rate",
    tags=TAGS,
)
async def get_credits(call: Call[None]) -> Credits:
    rate = call.server.settings.credits_per_usd
    return await call.read(lambda tx: view_credits(tx, call.principal.tenant_id, rate))


class HistoryQuery(PageQuery):
    """Which entries; times are when they were booked, the end excluded."""

    kind: EntryKind | None = None
    key: Annotated[str, Field(max_length=200)] | None = None
    execution: Annotated[str, Field(max_length=200)] | None = None
    from_us: TimestampUs = 0
    until_us: TimestampUs | None = None
    unfolded: bool = False
    """Each small charge on a line of its own."""


@endpoint(
    "GET",
    "/v1/credits/history",
    scope=Scope.READ,
    query=HistoryQuery,
    reply=Page[CreditEntry],
    problems=(InvalidRequest,),
    summary="List what came and went, newest first, the small charges of one execution as one line",
    tags=TAGS,
)
async def list_credit_history(call: Call[None, HistoryQuery]) -> Page[CreditEntry]:
    query, rate = call.query, call.server.settings.credits_per_usd
    before = read_number_cursor(query, newest_first=True)
    wanted = HistoryFilter(
        kind=query.kind,
        api_key_id=query.key,
        execution_id=query.execution,
        from_us=query.from_us,
        until_us=2**62 if query.until_us is None else query.until_us,
        unfolded=query.unfolded,
    )
    found = await call.read(
        lambda tx: list_history(tx, call.principal.tenant_id, wanted, before, query.limit)
    )
    return Page[CreditEntry](
        items=[view_line(line, rate) for line in found.lines],
        next=None if found.before_seq is None else encode_cursor(found.before_seq),
    )


@endpoint(
    "POST",
    "/v1/credits/grants",
    scope=Scope.SERVER,
    idempotent=Idempotency.KEYED,
    body=GrantCredits,
    reply=CreditEntry,
    status=201,
    problems=(InvalidRequest, NotFound, IdempotencyMismatch),
    audit="credits.granted",
    audit_target="seq",
    summary="Give a tenant credits that nobody pays for",
    tags=TAGS,
)
async def grant_credits(call: Call[GrantCredits]) -> Answer:
    wanted, rate = call.body, call.server.settings.credits_per_usd
    if wanted.expires_at_us is not None and wanted.expires_at_us <= call.server.clock.now_us():
        raise InvalidRequest(
            "This expiry is in the past; name a later one or none.",
            errors=[{"pointer": "/expires_at_us", "detail": "is in the past"}],
        )

    def work(tx: Tx) -> CreditEntry:
        tenant_id = choose_tenant(tx, call, wanted.tenant_id)
        entry = funding.fund(
            tx,
            tenant_id,
            EntryKind.GRANT,
            to_microcredits(wanted.credits),
            replace(about(call, wanted.reason), reference=wanted.reference),
            once=None if wanted.reference is None else f"grant:{wanted.reference}",
            expires_us=wanted.expires_at_us,
        )
        return view_entry(entry, rate)

    return await call.mutate(work)


@endpoint(
    "POST",
    "/v1/credits/adjustments",
    scope=Scope.SERVER,
    idempotent=Idempotency.KEYED,
    body=AdjustCredits,
    reply=CreditEntry,
    status=201,
    problems=(InvalidRequest, NotFound),
    audit="credits.adjusted",
    audit_target="seq",
    summary="Correct a tenant's balance, upwards or downwards, for a reason",
    tags=TAGS,
)
async def adjust_credits(call: Call[AdjustCredits]) -> Answer:
    wanted, rate = call.body, call.server.settings.credits_per_usd
    if not wanted.credits:
        raise InvalidRequest(
            "An adjustment moves something; name credits above or below zero.",
            errors=[{"pointer": "/credits", "detail": "is zero"}],
        )

    def work(tx: Tx) -> CreditEntry:
        tenant_id = choose_tenant(tx, call, wanted.tenant_id)
        amount = to_microcredits(wanted.credits)
        return view_entry(funding.adjust(tx, tenant_id, amount, about(call, wanted.reason)), rate)

    return await call.mutate(work)


@endpoint(
    "POST",
    "/v1/credits/entries/{seq}/refund",
    scope=Scope.SERVER,
    idempotent=Idempotency.NATURAL,
    body=RefundEntry,
    reply=CreditEntry,
    problems=(InvalidRequest, NotFound),
    audit="credits.refunded",
    summary="Give back what an entry has charged; a second time changes nothing",
    tags=TAGS,
)
async def refund_entry(call: Call[RefundEntry]) -> CreditEntry:
    rate, seq = call.server.settings.credits_per_usd, call.path["seq"]
    if not (seq.isascii() and seq.isdecimal() and len(seq) <= 18):
        raise NotFound("There is no such entry; list them with `omium credits history`.")

    def work(tx: Tx) -> CreditEntry:
        tenant_id = choose_tenant(tx, call, call.body.tenant_id)
        entry = funding.refund(tx, tenant_id, int(seq), about(call, call.body.reason))
        return view_entry(entry, rate)

    return await call.write(work)


@endpoint(
    "PUT",
    "/v1/settings/low-credits",
    scope=Scope.BILLING,
    idempotent=Idempotency.NATURAL,
    body=LowCredits,
    reply=Credits,
    audit="credits.threshold_changed",
    summary="Say from when on credits are low: an amount, or a share of what was there at first",
    tags=TAGS,
)
async def set_low_credits(call: Call[LowCredits]) -> Credits:
    wanted, rate = call.body, call.server.settings.credits_per_usd

    def work(tx: Tx) -> Credits:
        tenant_id = call.principal.tenant_id
        amount = None if wanted.credits is None else to_microcredits(wanted.credits)
        choose_threshold(tx, tenant_id, amount, wanted.percent)
        return view_credits(tx, tenant_id, rate)

    return await call.write(work)


def to_microcredits(amount: Decimal) -> int:
    """Return an amount of credits in micro-credits; the wire types leave no finer part."""
    return int(amount * MICROCREDITS_PER_CREDIT)


def about(call: Call, note: str | None) -> About:
    """Return who books, and why."""
    return About(actor_id=call.principal.id, note=note)


def choose_tenant(tx: Tx, call: Call, wanted: str | None) -> str:
    """Return the tenant that is meant: the caller's own, or the one that the operator names.

    Raises `NotFound` for an unknown one, and for another than his own where he is not the operator.
    """
    own = call.principal.tenant_id
    if wanted is None or wanted == own:
        return own
    if Scope.SERVER not in call.principal.scopes or tenants.find_tenant(tx, wanted) is None:
        raise NotFound("There is no such tenant here.")
    call.tell(tenant=wanted)  # the entry is in the log of who acts
    return wanted


ENDPOINTS = [
    get_credits,
    list_credit_history,
    grant_credits,
    adjust_credits,
    refund_entry,
    set_low_credits,
]
