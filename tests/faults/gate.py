"""Gate: one promise of Omium, the fault that tries it, and the count of what was tried and what was lost.

    @pytest.mark.gate(promise="An acknowledged write is there after ...", fault="SIGKILL of the server ...")
    def test_a_killed_server_keeps_what_it_acknowledged(gate, serve):
        try_kills(gate, serve)

    @pytest.mark.planted(bug="It answers before its COMMIT", gate="test_a_killed_server_keeps_...")
    def test_the_gate_catches_an_answer_before_the_commit(trial, serve):
        try_kills(trial, partial(serve, bug="acknowledge-before-commit"))

`gate` fails its test when anything was lost or nothing was tried; `trial`, on a planted bug, when nothing was
lost. Owns counting and reports. Does not own faults (the test files) or bugs (planted.py). The fixtures and
options are in plugin.py, the page made of the reports is docs/reliability.md.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SHOWN_LOSSES = 10
NOTE_LENGTH = 2_000


@dataclass
class Gate:
    """What a test counts with. `random` is seeded: the same seed and form try the same things."""

    test: str  # its node id
    promise: str
    fault: str
    seed: int
    torture: bool = False
    scale: float = 1.0
    long_s: float | None = None  # a long form begins no round after it has taken so long
    bug: str | None = None  # planted: then a loss is what the test is for
    rerun: str = ""
    say: Callable[[str], None] = lambda _line: None
    count: int = 0
    what: str = "rounds"
    losses: int = 0
    lost_notes: list[str] = field(default_factory=list)
    figures: dict[str, tuple[float, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed} {self.test}")
        self._started = time.monotonic()
        self._said = 0.0

    @property
    def name(self) -> str:
        """The test's name as words."""
        return self.test.rpartition("::")[2].removeprefix("test_").replace("_", " ")

    def rounds(self, short: int, long: int) -> int:
        """Return how often to try in this run: `short`, or with --torture `long`, scaled, if that is more."""
        return max(short, math.ceil(long * self.scale)) if self.torture else short

    @property
    def enough(self) -> bool:
        """Say whether a long form has taken all of its time."""
        return self.torture and self.long_s is not None and time.monotonic() - self._started > self.long_s

    def paced(self, short: int, long: int) -> Iterator[int]:
        """Yield the numbers of the rounds, until the first loss where a bug is planted, or it is enough.

        What is counted is up to the caller.
        """
        rounds = self.rounds(short, long)
        for number in range(rounds):
            yield number
            self.show_progress(number + 1, rounds)
            if self.enough or (self.bug is not None and self.losses):
                return

    def each(self, short: int, long: int, what: str) -> Iterator[int]:
        """The same, and count each round as one of `what`."""
        for number in self.paced(short, long):
            yield number
            self.tried(1, what)

    def tried(self, count: int, what: str) -> None:
        """Count `count` further tries of `what`, a plural noun such as "kills"."""
        self.count += count
        self.what = what

    def lost(self, count: int, note: str = "") -> None:
        """Count `count` broken promises; `note` says which. 0 changes nothing."""
        self.losses += count
        if count and note and len(self.lost_notes) < SHOWN_LOSSES:
            self.lost_notes.append(note[:NOTE_LENGTH])

    def figure(self, name: str, value: float, unit: str = "") -> None:
        """Note a number that the page shows beside the count; of several with one name the largest."""
        before, _ = self.figures.get(name, (value, unit))
        self.figures[name] = (max(before, value), unit)

    def show_progress(self, done: int, rounds: int) -> None:
        """Print a line now and then in a long run."""
        if (now := time.monotonic()) - self._said > 20 and now - self._started > 20:
            self._said = now
            self.say(f"{self.name}: {done:,} of {rounds:,} {self.what}, {self.losses} lost")

    def conclude(self) -> None:
        """Fail the test if what was counted is not what it is for."""
        __tracebackhide__ = True
        if self.bug is not None:
            assert self.losses, (
                f"The gate is blind: nothing was lost in {self.count} {self.what} with {self.bug!r}"
            )
            return
        assert self.count, "The gate tried nothing."
        if self.losses:
            notes = "\n".join(f"  {note}" for note in self.lost_notes)
            raise AssertionError(f"{self.losses} lost in {self.count} {self.what}:\n{notes}\n{self.rerun}")

    def write_report(self, folder: Path, *, passed: bool, seconds: float) -> Path:
        """Write what happened as JSON; one file for each test."""
        report = {
            "test": self.test,
            "promise": self.promise,
            "fault": self.fault,
            "bug": self.bug,
            "form": "long" if self.torture else "short",
            "tried": self.count,
            "what": self.what,
            "lost": self.losses,
            "notes": self.lost_notes,
            "figures": {name: list(figure) for name, figure in sorted(self.figures.items())},
            "seed": self.seed,
            "passed": passed,
            "seconds": round(seconds, 1),
        }
        folder.mkdir(parents=True, exist_ok=True)
        stem = "".join(
            c if c.isalnum() or c in "-_" else "-" for c in self.test.removeprefix("tests/faults/")
        )
        path = folder / f"{stem}.json"
        path.write_text(json.dumps(report, indent=1) + "\n")
        return path
