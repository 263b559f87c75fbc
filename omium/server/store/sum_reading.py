"""Sums as people ask for them: by a value and by spans of time. Writing is sums.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.server.db.tx import Sql, SqlValue, Tx


@dataclass(frozen=True, slots=True)
class Window:
    """Which sums: a tenant's, within times that begin spans of `step_us`; empty names ask for all."""

    tenant_id: str
    by: str
    from_us: int
    until_us: int
    step_us: int
    workflow: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """Executions of one value, status and bucket of the histogram in one span."""

    start_us: int
    value: str
    status: str
    bucket: int
    executions: int
    steps: int


@dataclass(frozen=True, slots=True)
class Used:
    """Usage of one value in one span."""

    start_us: int
    value: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    spent_microcredits: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Failures of one value in one span."""

    start_us: int
    value: str
    failures: int


_START: Final = "start_us - start_us % :step_us AS start_us"
_COMMON: Final = """WHEN 'workflow' THEN workflow WHEN 'environment' THEN environment
           WHEN 'key' THEN started_by"""
_WITHIN: Final = """tenant_id = :tenant_id AND start_us >= :from_us AND start_us < :until_us
       AND (:workflow = '' OR workflow = :workflow) AND (:environment = '' OR environment = :environment)"""


def _sum(name: str) -> str:
    return f"CAST(SUM({name}) AS {{int64}}) AS {name}"


ENDED = Sql(f"""
    SELECT {_START}, CASE :by {_COMMON} WHEN 'status' THEN status ELSE '' END AS value, status, bucket,
           {_sum("executions")}, {_sum("steps")}
      FROM execution_sums WHERE {_WITHIN} GROUP BY 1, 2, 3, 4
""")
USED = Sql(f"""
    SELECT {_START}, CASE :by {_COMMON} WHEN 'model' THEN model WHEN 'provider' THEN provider ELSE '' END
           AS value, {", ".join(_sum(name) for name in Used.__slots__[2:])}
      FROM usage_sums WHERE {_WITHIN} GROUP BY 1, 2
""")
FAILED = Sql(f"""
    SELECT {_START}, CASE :by {_COMMON} WHEN 'type' THEN error_type WHEN 'kind' THEN kind
           WHEN 'step' THEN step ELSE '' END AS value, {_sum("failures")}
      FROM failure_sums WHERE {_WITHIN} GROUP BY 1, 2
""")


def sum_ended(tx: Tx, window: Window) -> list[Ended]:
    """Add up executions that ended within the window."""
    return tx.all(ENDED, Ended, **_values(window))


def sum_used(tx: Tx, window: Window) -> list[Used]:
    """Add up what was used and charged within the window."""
    return tx.all(USED, Used, **_values(window))


def sum_failed(tx: Tx, window: Window) -> list[Failed]:
    """Add up failures within the window."""
    return tx.all(FAILED, Failed, **_values(window))


def _values(window: Window) -> dict[str, SqlValue]:
    return {name: getattr(window, name) for name in Window.__slots__}
