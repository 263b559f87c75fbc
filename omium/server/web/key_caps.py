"""Keys and caps as they are asked for and shown: from commands to the ledger's words, from rows to replies.

What a cap means is omium/server/ledger/caps.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omium.errors import InvalidRequest
from omium.models.keys import ApiKey, CapPeriod, CreateKey, KeyStatus, UpdateKey
from omium.money import parse_credits, parse_usd, to_usd
from omium.server.db.tx import Tx
from omium.server.ledger import caps
from omium.server.store import key_meters, key_usage
from omium.server.store.api_keys import KeyRow
from omium.server.store.key_meters import CapRow
from omium.server.web.accounts import read_workflows
from omium.states import Environment, Scope

_CAP_FIELDS = frozenset({"spend_cap_usd", "spend_cap_credits", "cap_period", "soft_cap_percent"})


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap as it is asked for."""

    microcredits: int | None
    period: CapPeriod
    soft_percent: int | None


@dataclass(frozen=True, slots=True)
class Meters:
    """Caps and sums by key, and what a dollar is on this server."""

    caps: Mapping[str, CapRow]
    spent: Mapping[str, int]
    credits_per_usd: int


def names_cap(wanted: UpdateKey) -> bool:
    """Say whether a command changes anything about the cap."""
    return bool(_CAP_FIELDS & wanted.model_fields_set)


def read_cap(wanted: CreateKey, credits_per_usd: int) -> Cap | None:
    """Return the cap that a new key is to have, None for none. Raises `InvalidRequest`."""
    amount = _amount(wanted, credits_per_usd)
    if (
        amount is None
        and "cap_period" in wanted.model_fields_set
        and wanted.cap_period is not CapPeriod.TOTAL
    ):
        raise _invalid("/cap_period", "A period needs a cap: name spend_cap_usd or spend_cap_credits.")
    cap = _check(Cap(amount, wanted.cap_period, wanted.soft_cap_percent))
    return None if amount is None else cap


def change_cap(tx: Tx, key_id: str, wanted: UpdateKey, credits_per_usd: int) -> Cap:
    """Return the key's cap with what `wanted` changes about it. Raises `InvalidRequest`."""
    now = key_meters.find_cap(tx, key_id)
    given = wanted.model_fields_set
    amount = None if now is None else now.cap_microcredits
    if {"spend_cap_usd", "spend_cap_credits"} & given:
        amount = _amount(wanted, credits_per_usd)
    period = wanted.cap_period or CapPeriod(now.cap_period if now is not None else CapPeriod.TOTAL)
    soft_percent = None if now is None else now.soft_cap_percent
    if "soft_cap_percent" in given:
        soft_percent = wanted.soft_cap_percent
    elif amount is None:
        soft_percent = None  # goes with its cap
    return _check(Cap(amount, period, soft_percent))


def set_cap(tx: Tx, tenant_id: str, key_id: str, cap: Cap) -> None:
    """Give the key its cap."""
    caps.set_cap(tx, tenant_id, key_id, cap.microcredits, cap.period.value, soft_cap_percent=cap.soft_percent)


def read_meters(tx: Tx, tenant_id: str, credits_per_usd: int, key_id: str | None = None) -> Meters:
    """Return caps and sums of all keys of a tenant, or of one."""
    rows = (
        key_meters.list_caps(tx, tenant_id)
        if key_id is None
        else [row for row in [key_meters.find_cap(tx, key_id)] if row is not None]
    )
    spent = key_usage.sum_spent(tx, tenant_id, key_id)
    return Meters({row.api_key_id: row for row in rows}, spent, credits_per_usd)


def show_key(row: KeyRow, meters: Meters, now_us: int) -> ApiKey:
    """Return what may be seen of a key."""
    cap, rate = meters.caps.get(row.id), meters.credits_per_usd
    capped = cap if cap is not None and cap.cap_microcredits is not None else None
    running = capped is not None and capped.period_start_us == caps.period_start_us(capped.cap_period, now_us)
    period_spent = None if capped is None else capped.spent_microcredits * running
    spent = max(meters.spent.get(row.id, 0), 0)
    grace = row.previous_until_us is not None and row.previous_until_us > now_us
    return ApiKey(
        id=row.id,
        name=row.name,
        status=KeyStatus(row.status_at(now_us)),
        environment=Environment(row.environment),
        scopes=[Scope(name) for name in row.scopes.split()],
        workflows=read_workflows(row),
        created_at_us=row.created_us,
        created_by=row.created_by,
        expires_at_us=row.expires_us,
        revoked_at_us=row.revoked_us,
        last_used_at_us=row.last_used_us,
        rotated_at_us=row.rotated_us,
        old_secret_ends_at_us=row.previous_until_us if grace else None,
        spend_cap_microcredits=None if capped is None else capped.cap_microcredits,
        spend_cap_usd=None if capped is None else to_usd(capped.cap_microcredits or 0, rate),
        cap_period=None if capped is None else CapPeriod(capped.cap_period),
        soft_cap_percent=None if capped is None else capped.soft_cap_percent,
        spent_microcredits=spent,
        spent_usd=to_usd(spent, rate),
        period_spent_microcredits=period_spent,
        period_spent_usd=None if period_spent is None else to_usd(period_spent, rate),
        period_held_microcredits=None if capped is None else capped.held_microcredits * running,
    )


def _amount(wanted: CreateKey | UpdateKey, credits_per_usd: int) -> int | None:
    usd, credits_ = wanted.spend_cap_usd, wanted.spend_cap_credits
    if usd is not None and credits_ is not None:
        raise _invalid("/spend_cap_credits", "Name the cap in dollars or in credits, not in both.")
    try:
        if usd is not None:
            return parse_usd(str(usd), credits_per_usd)
        return None if credits_ is None else parse_credits(str(credits_))
    except ValueError as error:
        raise _invalid("/spend_cap_usd" if usd is not None else "/spend_cap_credits", str(error)) from error


def _check(cap: Cap) -> Cap:
    if cap.soft_percent is not None and cap.microcredits is None:
        raise _invalid("/soft_cap_percent", "A soft cap is a part of a cap: name that, too.")
    return cap


def _invalid(pointer: str, detail: str) -> InvalidRequest:
    return InvalidRequest(detail, errors=[{"pointer": pointer, "detail": detail}])
