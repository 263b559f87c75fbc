"""Caps of keys as rows: what a key may spend in a period, and what it has. holds.py holds to them."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class CapRow:
    """A row of `key_meters`; `warned_start_us` and `reached_start_us` name the periods that were told of."""

    api_key_id: str
    cap_microcredits: int | None
    cap_period: str
    soft_cap_percent: int | None
    period_start_us: int
    spent_microcredits: int
    held_microcredits: int
    warned_start_us: int | None
    reached_start_us: int | None


_COLUMNS = """api_key_id, cap_microcredits, cap_period, soft_cap_percent, period_start_us, spent_microcredits,
       held_microcredits, warned_start_us, reached_start_us"""

FIND = Sql(f"SELECT {_COLUMNS} FROM key_meters WHERE api_key_id = :api_key_id")


def find_cap(tx: Tx, api_key_id: str) -> CapRow | None:
    """Return the key's cap and meter, or None where it has none and never had."""
    return tx.one_or_none(FIND, CapRow, api_key_id=api_key_id)


LIST = Sql("""
    SELECT m.api_key_id, m.cap_microcredits, m.cap_period, m.soft_cap_percent, m.period_start_us,
           m.spent_microcredits, m.held_microcredits, m.warned_start_us, m.reached_start_us
      FROM key_meters AS m JOIN api_keys AS k ON k.id = m.api_key_id
     WHERE k.tenant_id = :tenant_id
""")


def list_caps(tx: Tx, tenant_id: str) -> list[CapRow]:
    """Return the caps and meters of all of a tenant's keys that have one."""
    return tx.all(LIST, CapRow, tenant_id=tenant_id)


WRITE = Sql(f"""
    INSERT INTO key_meters ({_COLUMNS})
    VALUES (:api_key_id, :cap_microcredits, :cap_period, :soft_cap_percent, :period_start_us,
            :spent_microcredits, :held_microcredits, :warned_start_us, :reached_start_us)
    ON CONFLICT (api_key_id) DO UPDATE
       SET cap_microcredits = :cap_microcredits, cap_period = :cap_period,
           soft_cap_percent = :soft_cap_percent, period_start_us = :period_start_us,
           spent_microcredits = :spent_microcredits, held_microcredits = :held_microcredits,
           warned_start_us = :warned_start_us, reached_start_us = :reached_start_us
""")  # whoever writes it holds the lock of the tenant's funds, under which every charge is made


def write_cap(tx: Tx, row: CapRow) -> None:
    """Put `row` in the place of the key's cap and meter."""
    tx.execute(WRITE, **{name: getattr(row, name) for name in CapRow.__slots__})


# ---- what is spent and set aside, under the lock of the tenant's funds

RESERVE = Sql("""
    UPDATE key_meters
       SET spent_microcredits = CASE WHEN period_start_us < :start_us THEN 0 ELSE spent_microcredits END,
           held_microcredits = CASE WHEN period_start_us < :start_us THEN 0 ELSE held_microcredits END +
           :amount, period_start_us = CASE WHEN period_start_us < :start_us THEN :start_us ELSE
           period_start_us END
     WHERE api_key_id = :api_key_id
       AND (cap_microcredits IS NULL
            OR cap_microcredits - :amount
               >= CASE WHEN period_start_us < :start_us THEN 0 ELSE spent_microcredits + held_microcredits
               END)
""")


def reserve_of_key(tx: Tx, api_key_id: str, amount_microcredits: int, start_us: int) -> bool:
    """Set credits aside within the key's cap for the period that began at `start_us`, if they fit."""
    return tx.execute(RESERVE, api_key_id=api_key_id, amount=amount_microcredits, start_us=start_us) == 1


ENLARGE = Sql("""
    UPDATE key_meters
       SET held_microcredits = held_microcredits
                               + CASE WHEN period_start_us = :start_us THEN :amount ELSE 0 END
     WHERE api_key_id = :api_key_id
       AND (cap_microcredits IS NULL OR period_start_us <> :start_us
            OR cap_microcredits - :amount >= spent_microcredits + held_microcredits)
""")  # a hold of a period that has ended counts no more


def enlarge_of_key(tx: Tx, api_key_id: str, amount_microcredits: int, start_us: int) -> bool:
    """Set more aside within the cap of the key, for a hold of the period that began at `start_us`."""
    return tx.execute(ENLARGE, api_key_id=api_key_id, amount=amount_microcredits, start_us=start_us) == 1


CHARGE = Sql("""
    UPDATE key_meters
       SET spent_microcredits = :amount
                                + CASE WHEN period_start_us < :start_us THEN 0 ELSE spent_microcredits END,
           held_microcredits = CASE WHEN period_start_us < :start_us THEN 0 ELSE held_microcredits END,
           period_start_us = CASE WHEN period_start_us < :start_us THEN :start_us ELSE period_start_us END
     WHERE api_key_id = :api_key_id
""")


def charge_key(tx: Tx, api_key_id: str, amount_microcredits: int, start_us: int) -> None:
    """Count for a key what was charged without a hold, in the period that began at `start_us`."""
    tx.execute(CHARGE, api_key_id=api_key_id, amount=amount_microcredits, start_us=start_us)


SPEND = Sql("""
    UPDATE key_meters
       SET spent_microcredits = spent_microcredits + :spent,
           held_microcredits = CASE WHEN held_microcredits + :held < 0 THEN 0 ELSE held_microcredits + :held
           END
     WHERE api_key_id = :api_key_id AND period_start_us = :start_us
""")  # below zero where the sort of period was changed to and fro while the hold was open


def spend_of_key(
    tx: Tx, api_key_id: str, start_us: int, *, spent_microcredits: int, held_microcredits: int
) -> None:
    """Count for a key what became of a hold; a period that has ended is left alone."""
    tx.execute(
        SPEND,
        api_key_id=api_key_id,
        start_us=start_us,
        spent=spent_microcredits,
        held=held_microcredits,
    )


# ---- who is told


@dataclass(frozen=True, slots=True)
class Crossed:
    """A meter that has passed its soft cap or its cap, which nobody was told of in this period."""

    api_key_id: str
    tenant_id: str
    name: str
    environment: str
    cap_microcredits: int
    cap_period: str
    soft_cap_percent: int | None
    period_start_us: int
    spent_microcredits: int
    told_start_us: int | None


_CROSSED = """
    SELECT m.api_key_id, k.tenant_id, k.name, k.environment, m.cap_microcredits, m.cap_period,
           m.soft_cap_percent, m.period_start_us, m.spent_microcredits, m.{told} AS told_start_us
      FROM key_meters AS m JOIN api_keys AS k ON k.id = m.api_key_id
     WHERE m.cap_microcredits IS NOT NULL AND k.status = 'active'
       AND (m.{told} IS NULL OR m.{told} < m.period_start_us)
"""
SOFT = Sql(
    _CROSSED.format(told="warned_start_us")
    + """
       AND m.soft_cap_percent IS NOT NULL
       AND m.spent_microcredits >= m.cap_microcredits / 100 * m.soft_cap_percent
     ORDER BY m.api_key_id LIMIT :limit
"""
)  # divided first, or the product of a large cap would pass 64 bits; what is cut off is nobody's matter
HARD = Sql(
    _CROSSED.format(told="reached_start_us")
    + """
       AND m.spent_microcredits >= m.cap_microcredits
     ORDER BY m.api_key_id LIMIT :limit
"""
)
TELL_SOFT = Sql("""
    UPDATE key_meters SET warned_start_us = :start_us
     WHERE api_key_id = :api_key_id AND (warned_start_us IS NULL OR warned_start_us < :start_us)
""")  # two servers at once: one of them changes the row
TELL_HARD = Sql("""
    UPDATE key_meters SET reached_start_us = :start_us
     WHERE api_key_id = :api_key_id AND (reached_start_us IS NULL OR reached_start_us < :start_us)
""")  # as above


def list_past_soft_cap(tx: Tx, limit: int) -> list[Crossed]:
    """List meters past their soft cap that nobody was told of in this period."""
    return tx.all(SOFT, Crossed, limit=limit)


def list_past_cap(tx: Tx, limit: int) -> list[Crossed]:
    """List meters that have reached their cap, of which nobody was told in this period."""
    return tx.all(HARD, Crossed, limit=limit)


def set_soft_cap_told(tx: Tx, api_key_id: str, start_us: int) -> bool:
    """Note that the soft cap was told of in the period; False if another server has just done so."""
    return tx.execute(TELL_SOFT, api_key_id=api_key_id, start_us=start_us) == 1


def set_cap_told(tx: Tx, api_key_id: str, start_us: int) -> bool:
    """Note that reaching the cap was told of in the period; False if another server has just done so."""
    return tx.execute(TELL_HARD, api_key_id=api_key_id, start_us=start_us) == 1
