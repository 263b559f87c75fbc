"""The price book, its versions, what a model costs, and what a workflow is going to cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omium.models.wire import Command, Reply

BookText = Annotated[str, Field(max_length=128 * 2**10)]
Note = Annotated[str, Field(max_length=500)]


class CheckPrices(Command):
    """Look at a price book without saving it."""

    text: BookText
    """The whole book, TOML."""


class SetPrices(Command):
    """Save another version of the price book."""

    text: BookText
    """The whole book, TOML."""
    note: Note = ""
    """Why; it is kept with the version."""
    replaces: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """The version that was edited: refused if another one is in force by now. None: whichever is."""


class RestorePrices(Command):
    """Put an earlier version of the price book into force again, as a new version."""

    version: Annotated[int, Field(ge=1, lt=2**31)]
    """Which one; it stays, too."""
    note: Note = ""
    """Why; it is kept with the version."""


class PriceFinding(Reply):
    """Something about a book that is allowed and surely not meant."""

    place: str
    line: int | None = None
    detail: str


class PriceChange(Reply):
    """One difference between two books; None where there was, or is, nothing."""

    place: str
    before: str | None = None
    after: str | None = None


class PriceVersion(Reply):
    """A version of the price book, without its text."""

    version: int
    """0 is the default book of a server that has not saved one."""
    digest: str
    """Of all that decides a price: the text, the credits per dollar and the table of model prices."""
    credits_per_usd: int
    models_as_of: str
    """The day whose prices the table has that was bundled when this version was saved."""
    origin: Literal["default", "edited", "restored", "release"]
    restored_from: int | None = None
    created_at_us: int
    created_by: str | None = None
    """Only for the server's owner: the id of a key or person, or `server`."""
    note: str


class PriceBookVersion(PriceVersion):
    """A version of the price book, whole."""

    text: str
    warnings: list[PriceFinding] = Field(default_factory=list)


class PricesAnswer(Reply):
    """What became of a change of the price book."""

    saved: bool
    """False where it was only looked at, and where the book is in force already."""
    version: PriceVersion
    """The version in force now."""
    changes: list[PriceChange]
    warnings: list[PriceFinding] = Field(default_factory=list)


class PriceDifference(Reply):
    """What differs between two versions."""

    before: int
    after: int
    changes: list[PriceChange]


class TokenPrices(Reply):
    """Exact amounts as decimal text: credits per 1,000 tokens of each kind, and credits per call."""

    input: str
    output: str
    cached: str
    cache_write: str
    reasoning: str
    call: str


class PriceTier(Reply):
    """Prices of calls with more than so many input tokens."""

    above_input_tokens: int
    prices: TokenPrices


class PriceLookup(Reply):
    """What a model costs, and where its price comes from. The markup is not in the prices yet."""

    provider: str | None = None
    model: str | None = None
    price_version: int
    source: Literal["rule", "bundled", "default"]
    """A rule of the book, the bundled table, or the default for models that nobody knows."""
    rule: str
    """Which one: the rule's patterns, or the table's name of the model."""
    models_as_of: str
    """The day whose prices the bundled table has."""
    position: int | None = None
    """The rule's number in the book, from 1."""
    prices: TokenPrices
    tiers: list[PriceTier] = Field(default_factory=list)
    markup_percent: str
    cost_microcredits: int | None = None
    """What the usage in the query costs, markup included; None if it named none."""
    cost_usd: int | float | None = None


class StepEstimate(Reply):
    """What a step cost an execution, all its occurrences together."""

    name: str
    executions: int
    """How many of the executions had usage in it."""
    p50_microcredits: int
    max_microcredits: int


class Estimate(Reply):
    """What an execution of a workflow costs, from those that completed last."""

    workflow: str
    environment: str
    executions: int
    """How many executions this rests on; 0: it is the least that the price book asks."""
    basis: Literal["history", "price-book"]
    p50_microcredits: int
    p95_microcredits: int
    max_microcredits: int
    p50_credits: int | float
    p95_credits: int | float
    max_credits: int | float
    p50_usd: int | float
    p95_usd: int | float
    max_usd: int | float
    steps: list[StepEstimate] = Field(default_factory=list)
    """Usage by step; the price of recording a step is not in it."""
    execution_microcredits: int
    step_microcredits: int
    price_version: int
    oldest_at_us: int | None = None
    newest_at_us: int | None = None
