"""Evidence: what was acknowledged to the agents, and what of it a server still knows.

Owns the file of evidence (a JSON object per line, appended with one write each, so that a killed process
leaves whole lines), how far it may grow, and the comparison. An acknowledged step has a mark that was drawn
while it ran: another mark means that it ran again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self

from omium.errors import NotFound
from omium.sdk.sync_client import Client
from omium.states import ExecutionStatus
from omium.testing.scratch import Scratch

ORDER_BYTES: Final = 614
"""What the shortest order writes into the evidence, in five lines: so no more are begun than were allowed."""

Kind = Literal["begun", "step", "ended", "decided"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of evidence; `order` is the idempotency key of an execution."""

    kind: Kind
    order: str
    execution_id: str = ""
    step: str = ""
    mark: str = ""


class Notebook:
    """Where an agent writes down what was acknowledged to it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def write(self, line: Line) -> None:
        """Append `line`; it is whole or not there when the process is killed here."""
        packed = {name: getattr(line, name) for name in ("kind", "order", "execution_id", "step", "mark")}
        os.write(self._file, json.dumps(packed).encode() + b"\n")


def read_lines(path: Path) -> Iterator[Line]:
    """Yield what was written down so far; a last line that is still being written is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for raw in file:
            if raw.endswith(b"\n"):
                yield Line(**json.loads(raw))


@dataclass(slots=True)
class Evidence:
    """Everything that was acknowledged, by execution, and what is wrong with it."""

    marks: dict[str, dict[str, str]] = field(default_factory=dict)
    """Execution id to step to mark."""
    begun: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    """Order to execution id."""
    decided: int = 0
    rerun: list[str] = field(default_factory=list)
    """Acknowledged steps that ran again, as sentences."""

    @property
    def acknowledged(self) -> int:
        """Writes of which an agent was told that they are safe."""
        return sum(map(len, self.marks.values())) + len(self.ended)

    @property
    def unfinished(self) -> set[str]:
        """Orders that were begun and not ended."""
        return self.begun - self.ended.keys()


def count(scratch: Scratch) -> int:
    """Return how much evidence there is, in bytes: whether it grows."""
    try:
        return scratch.evidence.stat().st_size
    except FileNotFoundError:
        return 0


def allow(scratch: Scratch, orders: int) -> None:
    """Let the agents begin about `orders` more: a fast machine must not have more to look at than a slow one.

    Counted in bytes of evidence, which outlive every process. Written whole or not at all.
    """
    written = scratch.allowance.with_suffix(".new")
    written.write_text(str(count(scratch) + orders * ORDER_BYTES))
    written.replace(scratch.allowance)


def may_begin(scratch: Scratch) -> bool:
    """Say whether the agents may begin another order; where nobody has allowed any, they may."""
    try:
        return count(scratch) < int(scratch.allowance.read_text())
    except FileNotFoundError:
        return True


def gather(scratch: Scratch) -> Evidence:
    """Return what `scratch` holds of evidence."""
    found = Evidence()
    for line in read_lines(scratch.evidence):
        match line.kind:
            case "begun":
                found.begun.add(line.order)
            case "decided":
                found.decided += 1
            case "ended":
                found.ended[line.order] = line.execution_id
            case "step":
                known = found.marks.setdefault(line.execution_id, {})
                if known.setdefault(line.step, line.mark) != line.mark:
                    found.rerun.append(f"{line.execution_id}: {line.step} was acknowledged, and ran again")
    return found


def find_losses(client: Client, evidence: Evidence, executions: set[str]) -> list[str]:
    """Return a sentence for every acknowledged write of `executions` that the server does not have."""
    lost: list[str] = []
    ended = set(evidence.ended.values())
    for execution_id in sorted(executions):
        wanted = evidence.marks.get(execution_id, {})
        try:
            status = client.get_execution(execution_id).status
        except NotFound:
            lost.append(f"{execution_id}: the execution is gone, with {len(wanted)} results")
            continue
        stored = {step.key: step.output for step in client.each(client.list_steps, execution_id, limit=200)}
        for step, mark in wanted.items():
            output = stored.get(step)
            if not isinstance(output, dict) or output.get("mark") != mark:
                lost.append(f"{execution_id}: the result of {step} is gone")
        if execution_id in ended and status is not ExecutionStatus.COMPLETED:
            lost.append(f"{execution_id}: it had completed, and has not any more")
    return lost


def find_wrong_effects(scratch: Scratch, evidence: Evidence) -> tuple[int, list[str], list[str]]:
    """Return how many effects happened, which happened twice, and which should have and did not."""
    lines = scratch.world.read_text().split("\n") if scratch.world.exists() else []
    counted = Counter(line for line in lines if line)
    doubled = [
        f"the effect of {order} happened {times} times" for order, times in counted.items() if times > 1
    ]
    missing = [f"the effect of {order} did not happen" for order in evidence.ended if order not in counted]
    return counted.total(), doubled, missing
