"""Prices: the book, its versions, what a model costs. Everybody may read; only the server's owner changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from omium.errors import InvalidRequest, NotFound, PricesChanged, UnknownPrice
from omium.models.prices import (
    CheckPrices,
    PriceBookVersion,
    PriceChange,
    PriceDifference,
    PriceFinding,
    PriceLookup,
    PricesAnswer,
    PriceTier,
    PriceVersion,
    RestorePrices,
    SetPrices,
    TokenPrices,
)
from omium.models.wire import Command, Count, Page, Tokens
from omium.money import to_usd
from omium.pricing.book import Match, PriceBook
from omium.pricing.compare import compare_books
from omium.pricing.parse import BookInvalid, find_warnings, parse_book
from omium.pricing.rates import PPM, Rates
from omium.pricing.table import read_edition
from omium.server.db.tx import Tx
from omium.server.ledger import price_versions
from omium.server.ledger.price_versions import Proposal, Saved
from omium.server.ledger.prices import find_book, read_book
from omium.server.principal import Principal
from omium.server.store import prices as store
from omium.server.store.prices import PriceVersionRow
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_number_cursor
from omium.states import Scope

TAGS = ("prices",)


@endpoint(
    "GET",
    "/v1/prices",
    scope=Scope.READ,
    reply=PriceBookVersion,
    summary="Show the price book in force",
    tags=TAGS,
)
async def get_prices(call: Call[None]) -> PriceBookVersion:
    credits_per_usd = call.server.settings.credits_per_usd
    row = await call.read(lambda tx: price_versions.get_current(tx, credits_per_usd))
    return view_whole(row, call.principal)


@endpoint(
    "POST",
    "/v1/prices/check",
    scope=Scope.READ,
    idempotent=Idempotency.NATURAL,
    body=CheckPrices,
    reply=PricesAnswer,
    problems=(InvalidRequest,),
    summary="Say what a price book would change, and what is wrong with it; nothing is saved",
    tags=TAGS,
)
async def check_prices(call: Call[CheckPrices]) -> PricesAnswer:
    credits_per_usd = call.server.settings.credits_per_usd
    book = _read_book(call.body.text, credits_per_usd)
    row = await call.read(lambda tx: price_versions.get_current(tx, credits_per_usd))
    return _answer(Saved(row, row, is_new=False), book, call.principal)


@endpoint(
    "PUT",
    "/v1/prices",
    scope=Scope.SERVER,
    idempotent=Idempotency.NATURAL,
    body=SetPrices,
    reply=PricesAnswer,
    problems=(InvalidRequest, PricesChanged),
    audit="prices.changed",
    summary="Save another version of the price book, which is in force at once",
    tags=TAGS,
)
async def set_prices(call: Call[SetPrices]) -> PricesAnswer:
    """Dies before the commit: the former version is in force. A second time: nothing new is saved."""
    wanted, credits_per_usd = call.body, call.server.settings.credits_per_usd
    book = _read_book(wanted.text, credits_per_usd)
    proposal = Proposal(wanted.text, credits_per_usd, call.principal.id, wanted.note)

    def work(tx: Tx) -> Saved:
        done = price_versions.save(tx, proposal, replaces=wanted.replaces)
        call.tell(target=f"version {done.row.version}", saved=done.is_new)
        return done

    return _answer(await call.write(work), book, call.principal)


@endpoint(
    "POST",
    "/v1/prices/restore",
    scope=Scope.SERVER,
    idempotent=Idempotency.NATURAL,
    body=RestorePrices,
    reply=PricesAnswer,
    problems=(InvalidRequest, NotFound, PricesChanged),
    audit="prices.restored",
    summary="Put an earlier version of the price book into force again, as a new version",
    tags=TAGS,
)
async def restore_prices(call: Call[RestorePrices]) -> PricesAnswer:
    wanted, credits_per_usd = call.body, call.server.settings.credits_per_usd
    earlier = await call.read(lambda tx: price_versions.get_version(tx, wanted.version))
    book = _read_book(earlier.text, credits_per_usd)
    proposal = price_versions.propose_again(earlier, credits_per_usd, call.principal.id, wanted.note)

    def work(tx: Tx) -> Saved:
        done = price_versions.save(tx, proposal)
        call.tell(target=f"version {done.row.version}", restored=wanted.version, saved=done.is_new)
        return done

    return _answer(await call.write(work), book, call.principal)


@endpoint(
    "GET",
    "/v1/prices/versions",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[PriceVersion],
    problems=(InvalidRequest,),
    summary="List the versions of the price book, newest first",
    tags=TAGS,
)
async def list_price_versions(call: Call[None, PageQuery]) -> Page[PriceVersion]:
    query = call.query
    before = read_number_cursor(query, newest_first=True)
    rows = await call.read(lambda tx: store.list_versions(tx, before=before, limit=query.limit + 1))
    return make_page(
        rows, query.limit, key=lambda row: (row.version,), item=lambda row: view_version(row, call.principal)
    )


class VersionQuery(Command):
    """Which version to compare with: the one before, unless named."""

    against: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """The version to compare with."""


@endpoint(
    "GET",
    "/v1/prices/versions/{version}",
    scope=Scope.READ,
    reply=PriceBookVersion,
    problems=(InvalidRequest, NotFound),
    summary="Show a version of the price book",
    tags=TAGS,
)
async def get_price_version(call: Call[None]) -> PriceBookVersion:
    version = _read_number(call.path["version"])
    return view_whole(await call.read(lambda tx: price_versions.get_version(tx, version)), call.principal)


@endpoint(
    "GET",
    "/v1/prices/versions/{version}/difference",
    scope=Scope.READ,
    query=VersionQuery,
    reply=PriceDifference,
    problems=(InvalidRequest, NotFound),
    summary="Say what a version of the price book changed",
    tags=TAGS,
)
async def compare_price_versions(call: Call[None, VersionQuery]) -> PriceDifference:
    version = _read_number(call.path["version"])

    def read(tx: Tx) -> tuple[PriceVersionRow, PriceVersionRow]:
        after = price_versions.get_version(tx, version)
        if call.query.against is not None:
            return price_versions.get_version(tx, call.query.against), after
        rows = store.list_versions(tx, before=version, limit=1)
        return rows[0] if rows else after, after

    before, after = await call.read(read)
    return PriceDifference(
        before=before.version, after=after.version, changes=_changes(read_book(before), read_book(after))
    )


class LookupQuery(Command):
    """A model as usage records name it; with tokens or calls, what they cost, too."""

    provider: Annotated[str, Field(max_length=200)] | None = None
    model: Annotated[str, Field(max_length=200)] | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    """Input tokens that were written to the provider's cache."""
    reasoning_tokens: Tokens | None = None
    calls: Count | None = None


@endpoint(
    "GET",
    "/v1/prices/lookup",
    scope=Scope.READ,
    query=LookupQuery,
    reply=PriceLookup,
    problems=(InvalidRequest, UnknownPrice),
    summary="Say what a model costs, and by which rule",
    tags=TAGS,
)
async def look_up_price(call: Call[None, LookupQuery]) -> PriceLookup:
    book = await call.read(find_book)
    return make_lookup(book, call.query)


def make_lookup(book: PriceBook, query: LookupQuery) -> PriceLookup:
    """Return what the book says of a model. Raises `UnknownPrice`."""
    match = book.get_match(query.provider, query.model)
    usage = query.model_dump(exclude={"provider", "model"}, exclude_none=True)
    cost = None
    if usage:
        cost = book.price_usage(provider=query.provider, model=query.model, **usage).microcredits
    return PriceLookup(
        provider=query.provider,
        model=query.model,
        price_version=book.version,
        source=match.source,
        rule=match.rule,
        models_as_of=read_edition().as_of,
        position=match.position,
        prices=_token_prices(match.rates.rates),
        tiers=_tiers(match),
        markup_percent=_exact(book.markup_ppm * 100, PPM),
        cost_microcredits=cost,
        cost_usd=None if cost is None else to_usd(cost, book.credits_per_usd),
    )


def view_version(row: PriceVersionRow, reader: Principal) -> PriceVersion:
    """Return a version as it travels, without its text; other tenants are not told who saved it."""
    return PriceVersion(
        version=row.version,
        digest=row.digest,
        credits_per_usd=row.credits_per_usd,
        models_as_of=row.table_as_of,
        origin=row.origin,  # type: ignore[arg-type]  # the schema's own list
        restored_from=row.restored_from,
        created_at_us=row.created_us,
        created_by=row.created_by if Scope.SERVER in reader.scopes else None,
        note=row.note,
    )


def view_whole(row: PriceVersionRow, reader: Principal) -> PriceBookVersion:
    """Return a version with its text."""
    try:
        warnings = _warnings(read_book(row))
    except BookInvalid as invalid:  # another release took it
        warnings = [
            PriceFinding(place=each.place, line=each.line, detail=each.detail) for each in invalid.findings
        ]
    return PriceBookVersion(**view_version(row, reader).model_dump(), text=row.text, warnings=warnings)


def _read_book(text: str, credits_per_usd: int) -> PriceBook:
    try:
        return parse_book(text, credits_per_usd=credits_per_usd)
    except BookInvalid as invalid:
        raise InvalidRequest(
            f"This is no price book:\n{invalid}",
            errors=[
                {"pointer": "/text", "place": each.place, "line": each.line, "detail": each.detail}
                for each in invalid.findings
            ],
        ) from None


def _answer(done: Saved, book: PriceBook, reader: Principal) -> PricesAnswer:
    return PricesAnswer(
        saved=done.is_new,
        version=view_version(done.row, reader),
        changes=_changes(read_book(done.former), book),
        warnings=_warnings(book),
    )


def _changes(before: PriceBook, after: PriceBook) -> list[PriceChange]:
    return [
        PriceChange(place=each.place, before=each.before, after=each.after)
        for each in compare_books(before, after)
    ]


def _warnings(book: PriceBook) -> list[PriceFinding]:
    return [
        PriceFinding(place=each.place, line=each.line, detail=each.detail) for each in find_warnings(book)
    ]


def _tiers(match: Match) -> list[PriceTier]:
    return [
        PriceTier(above_input_tokens=tier.above_input_tokens, prices=_token_prices(tier.rates))
        for tier in match.rates.tiers
    ]


def _token_prices(rates: Rates) -> TokenPrices:
    per_thousand = 10**9  # picocredits a token, in credits per 1,000 tokens
    return TokenPrices(
        input=_exact(rates.input_picocredits, per_thousand),
        output=_exact(rates.output_picocredits, per_thousand),
        cached=_exact(rates.cached_picocredits, per_thousand),
        cache_write=_exact(rates.cache_write_picocredits, per_thousand),
        reasoning=_exact(rates.reasoning_picocredits, per_thousand),
        call=_exact(rates.call_picocredits, 10**12),
    )


def _exact(amount: int, unit: int) -> str:
    """Return a fraction of a power of ten as decimal text."""
    text = format(Decimal(amount) / Decimal(unit), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _read_number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise InvalidRequest("A version of the price book is a number, such as 3.")
    return int(text)


ENDPOINTS = [
    get_prices,
    check_prices,
    set_prices,
    restore_prices,
    list_price_versions,
    get_price_version,
    compare_price_versions,
    look_up_price,
]
