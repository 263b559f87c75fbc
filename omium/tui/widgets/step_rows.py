"""The steps of one execution as a tree: what was read of them so far, in the order in which they began.

Owns which rows a tree or a timeline has: folded, only faults, only those with some words. A step that is
still running has no record yet; it is a row by its path alone. How rows are drawn is step_tree.py's and
timeline.py's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from omium.models.execution import Step
from omium.states import StepStatus

ROOT: Final = ""
"""The path of the row of the execution itself."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """A row: a step's path and what is recorded of it; None while it runs, or if it only holds others."""

    key: str
    depth: int
    step: Step | None
    running: bool
    children: int
    folded: bool

    @property
    def name(self) -> str:
        """The last part of the path: the name, with `#2` for its second occurrence."""
        return self.key.rpartition("/")[2]


class StepBook:
    """What is known of the steps."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.running: frozenset[str] = frozenset()
        self.folded: set[str] = set()
        self.words = ""
        self.only_faults = False
        self._children: dict[str, list[str]] = {}
        self._first_us: dict[str, int] = {}
        self._stale = True

    def put(self, steps: Iterable[Step]) -> None:
        """Take in what was read; what is superseded gives way to what counts."""
        for step in steps:
            known = self.steps.get(step.key)
            if known is None or _counts_before(step, known):
                self.steps[step.key] = step
                self._stale = True

    def put_running(self, paths: Collection[str]) -> bool:
        """Note which steps run now; says whether one has ended of which there is no record here."""
        gone = self.running - set(paths)
        self._stale = self._stale or self.running != frozenset(paths)
        self.running = frozenset(paths)
        return any(key not in self.steps or not _has_ended(self.steps[key]) for key in gone)

    def clear(self) -> None:
        """Forget what was read."""
        self.steps.clear()
        self._stale = True

    def keys(self) -> list[str]:
        """Return the paths that have a row, in order; `ROOT`, the execution's own, first.

        Only paths: ten thousand objects more would be that many more for Python to look through.
        """
        self._index()
        kept = self._kept()
        keys = [ROOT]
        waiting = list(reversed(self._children.get(ROOT, [])))
        while waiting:
            key = waiting.pop()
            if kept is not None and key not in kept:
                continue
            keys.append(key)
            if key in self._children and not self._is_folded(key):
                waiting.extend(reversed(self._children[key]))
        return keys

    def row(self, key: str) -> StepRow:
        """Return the row of a path, as it is drawn."""
        inner = self._children.get(key, ())
        depth = 0 if key == ROOT else key.count("/") + 1
        folded = bool(inner) and self._is_folded(key)
        return StepRow(key, depth, self.steps.get(key), key in self.running, len(inner), folded)

    def _is_folded(self, key: str) -> bool:
        return key in self.folded and not self.words and not self.only_faults

    def span_us(self) -> tuple[int, int] | None:
        """Return when the first step that was read began and the last one ended; None if there is none."""
        if not self.steps:
            return None
        steps = self.steps.values()
        return min(step.started_at_us for step in steps), max(step.ended_at_us for step in steps)

    def _index(self) -> None:
        """Put every path under the one around it, in the order of their beginnings."""
        if not self._stale:
            return
        self._stale = False
        first: dict[str, int] = {}
        for key in [*self.steps, *self.running]:
            step = self.steps.get(key)
            began = step.started_at_us if step is not None else 2**62
            while key and first.get(key, 2**63) > began:
                first[key] = began
                key = key.rpartition("/")[0]  # noqa: PLW2901 -- upwards, to what is around it
        children: dict[str, list[str]] = {}
        for key in first:
            children.setdefault(key.rpartition("/")[0], []).append(key)
        for inner in children.values():
            inner.sort(key=lambda each: (first[each], self._ended(each), each))
        self._children = children

    def _ended(self, key: str) -> int:
        step = self.steps.get(key)
        return 2**62 if step is None or step.completed_seq is None else step.completed_seq

    def _kept(self) -> set[str] | None:
        """Return the paths that fit, and what is around them; None if all do."""
        words = self.words.casefold().split()
        if not words and not self.only_faults:
            return None
        kept: set[str] = set()
        for key in {*self.steps, *self.running}:
            step = self.steps.get(key)
            if self.only_faults and not (step is not None and is_fault(step)):
                continue
            text = f"{key} {step.status.value if step else 'running'} {_error_words(step)}".casefold()
            if all(word in text for word in words):
                while key and key not in kept:
                    kept.add(key)
                    key = key.rpartition("/")[0]  # noqa: PLW2901 -- upwards, to what is around it
        return kept


def is_fault(step: Step) -> bool:
    """Say whether a step is what somebody who looks for faults looks for."""
    failed = step.status in (StepStatus.FAILED, StepStatus.RETRYING)
    return (failed and step.superseded_seq is None) or step.effect_state == "unknown"


def _error_words(step: Step | None) -> str:
    error = step.error if step is not None else None
    return f"{error.get('type', '')} {error.get('message', '')}" if isinstance(error, dict) else ""


def _has_ended(step: Step) -> bool:
    return step.status is not StepStatus.RETRYING


def _counts_before(step: Step, known: Step) -> bool:
    """Say whether `step` is what counts of the two; of the same one the newer reading does."""
    if (step.superseded_seq is None) != (known.superseded_seq is None):
        return step.superseded_seq is None
    if step.generation != known.generation:
        return step.generation > known.generation
    return step.attempt >= known.attempt and step != known
