"""The book: what is recorded of an execution, and which call each record belongs to (semantics 2.4).

Owns the four rules of lookup and the claims that keep racing calls from receiving each other's results, and
which values to fetch that did not travel with the grant. Does not decide what happens to a step
that has to run (steps.py), and keeps no values of steps that ran here: a retry that needs one fetches it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from omium.sdk.identity import Identity, Scope

FETCH_PATHS_MAX = 32  # values above 4 KiB each: a reply stays small enough to be read at once


@dataclass(slots=True, eq=False)
class Entry:
    """One record. `claimed` says that a call of this run has received it, or has replaced it."""

    path: str
    name: str
    digest: str
    kind: str
    status: str
    attempt: int
    occurrence: int = 1
    explicit_key: bool = False
    has_output: bool = True
    output: Any = None
    inline: bool = False
    effect_state: str | None = None
    claimed: bool = False

    @property
    def completed(self) -> bool:
        """Say whether the record holds a success, rather than a try that failed."""
        return self.status == "completed"

    @property
    def usable(self) -> bool:
        """Say whether there is a result to give back: `record=False` keeps none."""
        return self.completed and self.has_output


@dataclass(frozen=True, slots=True)
class Reuse:
    """The call's result is recorded already."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Run:
    """The call has to run, as `identity`. `attempt` counts on; `supersedes` replaces another record.

    `retried` says that its last try failed and another was to follow.
    """

    identity: Identity
    attempt: int = 1
    supersedes: bool = False
    retried: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """An effect was done here with another input: it may not run again without a decision."""

    entry: Entry


Lookup = Reuse | Run | Blocked


class Book:
    """Records of one execution; every method may be called from several threads at once."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()) -> None:
        self._lock = threading.Lock()
        self._at: dict[str, Entry] = {}
        self._by_call: defaultdict[tuple[str, str, str], list[Entry]] = defaultdict(list)
        self._last_attempt: dict[str, int] = {}
        for record in records:
            self._insert(_read(record))

    @property
    def has_records(self) -> bool:
        """Say whether anything is recorded yet."""
        with self._lock:
            return bool(self._at)

    def look_up(
        self,
        scope: Scope,
        identity: Identity,
        digest: str,
        *,
        effect: bool = False,
        in_order: bool = True,
        match: Literal["input", "name"] = "input",
    ) -> Lookup:
        """Say what becomes of a call, and claim the record that it receives or replaces.

        `in_order` says that the program itself fixes when this call comes: it is made by the thread and task
        that run the scope's function. Calls that race are not in order: what stands at their number may be
        another call's, so they never replace it, but take a free number (docs/decisions/020-racing-steps.md).
        """
        with self._lock:
            at = self._at.get(identity.path)
            if at is not None and not at.claimed and at.digest == digest:  # rule 1
                return self._use(at, identity)
            if not identity.explicit_key and (moved := self._find_moved(identity, digest)) is not None:
                return self._use(
                    moved, replace(identity, path=moved.path, occurrence=moved.occurrence)
                )  # rule 2
            if at is None:
                return self._run(identity)  # rule 4
            if match == "name" and at.usable:
                return self._use(at, identity)  # rule 3, as the step asked
            if effect and at.effect_state in ("done", "skipped"):
                return Blocked(at)  # rule 3 for effects
            if identity.explicit_key or (in_order and not at.claimed):
                at.claimed = True
                return self._run(identity, supersedes=True)  # rule 3 for plain steps
            while identity.path in self._at:
                identity = scope.allot(identity.name)
            return self._run(identity)

    def add(self, entry: Entry) -> None:
        """Note what was recorded here just now, for a later try of the step or workflow around it."""
        with self._lock:
            self._insert(entry)

    def open_again(self, scope_path: str, *, effects_only: bool) -> None:
        """Make the records inside `scope_path` available to a new try of its function.

        After a step failed, the plain records of that try are superseded on the server, and forgotten here
        (`effects_only`); a workflow that is tried again keeps them all.
        """
        prefix = f"{scope_path}/" if scope_path else ""
        with self._lock:
            for path in [path for path in self._at if path.startswith(prefix)]:
                entry = self._at[path]
                if effects_only and entry.kind != "effect":
                    self._remove(entry)
                else:
                    entry.claimed = False

    def offer(self, path: str) -> None:
        """Let the record at `path` be claimed again: a framework asks for the same task a second time."""
        with self._lock:
            if (entry := self._at.get(path)) is not None:
                entry.claimed = False

    def list_missing(self, entry: Entry) -> list[str]:
        """Return the paths whose values to fetch now: `entry`'s, and those that will probably be next."""
        with self._lock:
            others = (
                other.path
                for other in self._at.values()
                if other.completed and other.has_output and not (other.inline or other.claimed)
            )
            return [entry.path, *(path for path, _ in zip(others, range(FETCH_PATHS_MAX - 1), strict=False))]

    def fill(self, values: Iterable[tuple[str, Any]]) -> None:
        """Note values that were fetched."""
        with self._lock:
            for path, output in values:
                if (entry := self._at.get(path)) is not None:
                    entry.output, entry.inline = output, True

    @staticmethod
    def take(entry: Entry) -> Any:
        """Return the value of a claimed entry, and keep it no longer: it can be fetched again."""
        output, entry.output, entry.inline = entry.output, None, False
        return output

    def _use(self, entry: Entry, identity: Identity) -> Lookup:
        """Claim `entry` for a call with its own input: its result, or its unfinished tries."""
        entry.claimed = True
        if entry.usable:
            return Reuse(entry)
        return self._run(identity, supersedes=entry.completed, retried=entry.status == "retrying")

    def _run(self, identity: Identity, *, supersedes: bool = False, retried: bool = False) -> Run:
        return Run(identity, self._last_attempt.get(identity.path, 0) + 1, supersedes, retried)

    def _find_moved(self, identity: Identity, digest: str) -> Entry | None:
        """Return an unclaimed record for the same input that stands at another number of the name.

        A result comes first; else unfinished tries go on where they stood, so that an effect keeps its key.
        """
        candidates = self._by_call.get((identity.scope_path, identity.name, digest), ())
        free = [entry for entry in candidates if not (entry.claimed or entry.explicit_key)]
        return next((entry for entry in free if entry.usable), free[0] if free else None)

    def _insert(self, entry: Entry) -> None:
        if (former := self._at.get(entry.path)) is not None:
            self._remove(former)
        self._at[entry.path] = entry
        self._by_call[_call_of(entry)].append(entry)
        self._last_attempt[entry.path] = max(entry.attempt, self._last_attempt.get(entry.path, 0))

    def _remove(self, entry: Entry) -> None:
        del self._at[entry.path]
        call = _call_of(entry)
        self._by_call[call].remove(entry)
        if not self._by_call[call]:
            del self._by_call[call]


def _call_of(entry: Entry) -> tuple[str, str, str]:
    return entry.path.rpartition("/")[0], entry.name, entry.digest


def _read(record: Mapping[str, Any]) -> Entry:
    """Return the entry of a `models.driver.Record` as JSON."""
    return Entry(
        path=record["path"],
        name=record["name"],
        digest=record["input_digest"],
        kind=record["kind"],
        status=record["status"],
        attempt=record["attempt"],
        occurrence=record["occurrence"],
        explicit_key=record["explicit_key"],
        has_output=record["has_output"],
        output=record.get("output"),
        inline=record["inline"],
        effect_state=record.get("effect_state"),
    )
