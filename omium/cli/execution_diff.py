"""`omium executions diff`: two executions side by side: steps, inputs, outputs, times and what they used."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omium.cli.context import Common, for_server
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.table import Column
from omium.money import to_credits
from omium.words import count, span

if TYPE_CHECKING:
    from omium.models.execution import ExecutionDetail, Step
    from omium.sdk.sync_client import Client


@dataclass(slots=True)
class Used:
    """What was reported for a step, or in all."""

    tokens: int = 0
    charged_microcredits: int = 0


@dataclass(slots=True)
class Side:
    """One of the two."""

    detail: ExecutionDetail
    steps: dict[str, Step]
    used: defaultdict[str, Used] = field(default_factory=lambda: defaultdict(Used))
    total: Used = field(default_factory=Used)


@for_server
def diff_executions(common: Common, first: ExecutionId, second: ExecutionId) -> None:
    """Compare two executions step by step. Inputs, outputs and outcomes that differ, times, tokens, credits.

    \b
    omium executions diff ex_01mcc5rm00ngqz8ctbd9ygs3xh last
    omium executions diff ex_01mcc5rm00ngqz8ctbd9ygs3xh last --json
    """
    with common.client() as client:
        ids = [find_execution_id(client, each) for each in (first, second)]
        one, other = (_read(client, each) for each in ids)
        rows = [_compare(client, key, one, other) for key in {**one.steps, **other.steps}]
    whole = {name: _whole(one, other, name) for name in ("workflow", "status", "input", "output")}
    if common.output.as_json:
        sums = [_sums(one), _sums(other)]
        common.output.json(
            {"first": ids[0], "second": ids[1], "differs": whole, "totals": sums, "steps": rows}
        )
        return
    common.output.facts(
        [
            ("First", f"{ids[0]}: {_line(one)}"),
            ("Second", f"{ids[1]}: {_line(other)}"),
            (
                "Differ in",
                ", ".join(name for name, differs in whole.items() if differs) or "nothing as a whole",
            ),
        ]
    )
    common.output.table(
        [
            Column("STEP", lambda row: row["key"], give="cut", width_min=16),
            Column("DIFFERENCE", lambda row: row["difference"], give="cut"),
            Column("TOOK", lambda row: _pair(row, "took_us", span), align="right", spare=1),
            Column("TOKENS", lambda row: _pair(row, "tokens", "{:,}".format), align="right", spare=2),
            Column(
                "CREDITS", lambda row: _pair(row, "charged_microcredits", _credits), align="right", spare=3
            ),
        ],
        rows,
        empty="Neither has a recorded step.",
    )
    differing = sum(not row["difference"].startswith("same") for row in rows)
    common.output.say(f"{count(differing, 'step differs', 'steps differ')} of {len(rows)}.")


def _read(client: Client, execution_id: str) -> Side:
    listed = client.each(client.list_steps, execution_id, limit=200)
    steps = {step.key: step for step in listed if step.superseded_seq is None}
    side = Side(client.get_execution(execution_id), steps)
    for record in client.each(client.list_usage, execution_id=execution_id, limit=200):
        for used in (side.used[record.path or ""], side.total):
            used.tokens += record.input_tokens + record.output_tokens
            used.charged_microcredits += record.charged_microcredits or 0
    return side


def _compare(client: Client, key: str, one: Side, other: Side) -> dict[str, Any]:
    first, second = one.steps.get(key), other.steps.get(key)
    return {
        "key": key,
        "difference": _difference(client, one, other, key),
        "took_us": [_took_us(first), _took_us(second)],
        "tokens": [side.used[key].tokens if key in side.steps else None for side in (one, other)],
        "charged_microcredits": [
            side.used[key].charged_microcredits if key in side.steps else None for side in (one, other)
        ],
    }


def _difference(client: Client, one: Side, other: Side, key: str) -> str:
    first, second = one.steps.get(key), other.steps.get(key)
    if first is None:
        return "only in the second"
    if second is None:
        return "only in the first"
    parts = []
    if first.status is not second.status:
        parts.append(f"{first.status.value}, then {second.status.value}")
    if first.input_digest != second.input_digest:
        parts.append("another input")
    if not _same_output(client, one, other, first, second):
        parts.append("another output")
    return "; ".join(parts) or ("same (reused)" if second.reused_from else "same")


def _same_output(client: Client, one: Side, other: Side, first: Step, second: Step) -> bool:
    """Compare outputs; a long one is not in the list of steps, so that it is fetched if sizes agree."""
    if first.output is not None or second.output is not None or first.output_size_bytes is None:
        return first.output == second.output and first.output_size_bytes == second.output_size_bytes
    if first.output_size_bytes != second.output_size_bytes:
        return False
    if first.output_size_bytes <= len("null"):
        return True
    whole = [client.get_step_value(side.detail.id, path=first.key).output for side in (one, other)]
    return whole[0] == whole[1]


def _whole(one: Side, other: Side, name: str) -> bool:
    return bool(getattr(one.detail, name) != getattr(other.detail, name))


def _took_us(step: Step | None) -> int | None:
    return None if step is None else max(step.ended_at_us - step.started_at_us, 0)


def _sums(side: Side) -> dict[str, Any]:
    ended_us = side.detail.ended_at_us
    return {
        "status": side.detail.status.value,
        "took_us": None if ended_us is None else ended_us - side.detail.created_at_us,
        "steps": len(side.steps),
        "tokens": side.total.tokens,
        "charged_microcredits": side.total.charged_microcredits,
    }


def _line(side: Side) -> str:
    sums = _sums(side)
    parts = [f"{side.detail.workflow}, {sums['status']}", count(sums["steps"], "step")]
    if sums["took_us"] is not None:
        parts.append(span(sums["took_us"]))
    if side.total.tokens:
        parts.append(f"{side.total.tokens:,} tokens")
    if side.total.charged_microcredits:
        parts.append(f"{_credits(side.total.charged_microcredits)} credits for usage")
    return ", ".join(parts)


def _pair(row: dict[str, Any], name: str, show: Any) -> str:
    first, second = row[name]
    if not first and not second:
        return "-"
    sides = ["-" if side is None else show(side) for side in (first, second)]
    return sides[0] if sides[0] == sides[1] else " > ".join(sides)


def _credits(microcredits: int) -> str:
    return f"{to_credits(microcredits):,}"
