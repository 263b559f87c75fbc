"""Chaos: rounds of accidents on a real server under load, and what of the acknowledged writes was lost.

Owns the order of a trial and its report. A round: let the agents work, do the accident at a random moment,
start what was killed, and compare. At the end all unfinished orders are finished and everything is compared
once more. The same seed chooses the same accidents after the same waits; what they meet is up to the
machine.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

from omium.errors import OmiumError
from omium.testing import evidence
from omium.testing.forgetful_disk import Unavailable, load_library
from omium.testing.power_cut import Cut, cut_power
from omium.testing.processes import AgentsProcess, ProcessFailed, Programs, ServerProcess
from omium.testing.scratch import Scratch

WAIT_MAX_S: Final = 1.0
START_WAIT_MAX_S: Final = 1.2
WRITES_MAX: Final = 800
VERIFIED_AT_FIRST: Final = 5
VERIFIED_EVERY: Final = 10
ORDERS_A_ROUND: Final = 120
"""How many orders the agents may begin in a round, and as many again while a power cut is waited for. The
accident comes before they are through, and then they are idle: on a disk in memory they would else do more
than one client can look at."""
COMPARED_MAX: Final = 1_000
"""How many executions a round compares, the newest. All of them are compared at the end."""
PROGRESS_ORDERS: Final = 5
PROGRESS_WITHIN_S: Final = 120.0
FINISH_WITHIN_S: Final = 600.0


class Accident(StrEnum):
    """What happens in a round."""

    SERVER_KILLED = "server killed"
    POWER_CUT = "power cut"
    AGENTS_KILLED = "agents killed"
    ALL_KILLED = "server and agents killed"
    KILLED_STARTING = "killed again while starting"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be tried."""

    rounds: int = 20
    seconds: float | None = None
    """Begin no round after this long."""
    threads: int = 8
    seed: int = 0
    accidents: tuple[Accident, ...] = tuple(Accident)


@dataclass(frozen=True, slots=True)
class Round:
    """What one accident did."""

    number: int
    accident: Accident
    acknowledged: int
    """Writes acknowledged so far, all of which must be there."""
    ready_s: float | None
    """How long the server took to be ready again, Python's own start included; None: it was not killed."""
    forgotten: int
    """Writes to the disk that no sync had kept, and that a power cut threw away, wholly or in part."""
    lost: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What a trial found. Every list of sentences should be empty."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    seconds: float = 0.0
    acknowledged: int = 0
    executions: int = 0
    effects: int = 0
    effects_decided: int = 0
    """Effects with an unknown outcome that somebody had to decide about, as documented."""
    lost: list[str] = field(default_factory=list)
    effects_doubled: list[str] = field(default_factory=list)
    effects_missing: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Of `omium db verify`, and of processes that did not do what they should."""

    @property
    def ok(self) -> bool:
        """Say whether everything that was promised was kept."""
        return not (
            self.lost or self.effects_doubled or self.effects_missing or self.unfinished or self.problems
        )


def play(
    scratch: Scratch,
    plan: Plan,
    *,
    programs: Programs | None = None,
    told: Callable[[Round], None],
    said: Callable[[str], None] = lambda _sentence: None,
) -> Report:
    """Play `plan` in `scratch`, tell of each round as it ends, end what was started; the report.

    `said` gets a sentence about what takes its time after the last round.
    """
    return _Trial(scratch, plan, programs or Programs(), told, said).play()


class _Trial:
    def __init__(
        self,
        scratch: Scratch,
        plan: Plan,
        programs: Programs,
        told: Callable[[Round], None],
        said: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self._scratch = scratch
        self._plan = plan
        self._told = told
        self._said = said
        self._chance = random.Random(plan.seed)  # noqa: S311  # to be repeated, not to be secret
        self._server = ServerProcess(scratch, programs)
        self._agents = AgentsProcess(scratch, self._server, plan.threads)
        self._report = Report(plan.seed)
        self._compared: dict[str, int] = {}

    def play(self) -> Report:
        report = self._report
        began = time.monotonic()
        try:
            self._play_rounds(began)
            self._finish()
        except ProcessFailed as error:
            report.problems.append(str(error))
        except OmiumError as error:
            report.problems.append(f"The server was there and did not answer: {error}")
        finally:
            self._agents.kill()
            self._server.kill()
            report.seconds = time.monotonic() - began
        return report

    def _play_rounds(self, began: float) -> None:
        accidents = self._list_accidents()
        self._server.start()
        self._server.make_owner()
        self._agents.start()
        for number in range(1, self._plan.rounds + 1):
            if self._plan.seconds is not None and time.monotonic() - began >= self._plan.seconds:
                return
            accident = accidents[(number - 1) % len(accidents)]
            if number % len(accidents) == 0:
                self._chance.shuffle(accidents)
            self._play_round(number, accident)
            if not self._report.ok:  # what is there now shows best what happened
                return

    def _list_accidents(self) -> list[Accident]:
        accidents = list(self._plan.accidents)
        if self._scratch.database is not None:
            self._report.not_tried.append("power cuts: the files are PostgreSQL's own")
            self._report.not_tried.append("the end of PostgreSQL itself: others may be using it")
            return [each for each in accidents if each is not Accident.POWER_CUT]
        try:
            load_library()
        except Unavailable as error:
            accidents = [each for each in accidents if each is not Accident.POWER_CUT]
            self._report.not_tried.append(f"power cuts: {error}")
        return accidents

    def _play_round(self, number: int, accident: Accident) -> None:
        evidence.allow(self._scratch, ORDERS_A_ROUND)
        self._wait_for_progress(self._chance.uniform(PROGRESS_ORDERS, ORDERS_A_ROUND - 2 * PROGRESS_ORDERS))
        ready_s, cut = self._happen(accident)
        now = evidence.gather(self._scratch)
        # The server's look at everything takes longer the more there is: not each time.
        whole = number <= VERIFIED_AT_FIRST or number % VERIFIED_EVERY == 0
        lost = self._compare(now, self._list_touched(now), whole=whole)
        self._report.lost += lost
        done = Round(number, accident, now.acknowledged, ready_s, cut.lost, tuple(lost))
        self._report.rounds.append(done)
        self._told(done)

    def _happen(self, accident: Accident) -> tuple[float | None, Cut]:
        """Do the accident; returns how long the server took to come back, and what a disk forgot."""
        cut = Cut(0, 0)
        match accident:
            case Accident.SERVER_KILLED:
                self._server.kill()
            case Accident.POWER_CUT:
                self._server.kill()
                evidence.allow(self._scratch, ORDERS_A_ROUND)
                self._server.run_until_power_cut(self._chance.randint(1, WRITES_MAX))
                cut = cut_power(self._scratch.journal, self._chance)
                self._scratch.journal.unlink()
            case Accident.AGENTS_KILLED:
                self._agents.kill()
                self._agents.start()
                return None, cut
            case Accident.ALL_KILLED:
                self._agents.kill()
                self._server.kill()
            case Accident.KILLED_STARTING:
                self._server.kill()
                self._server.begin()
                time.sleep(self._chance.uniform(0, START_WAIT_MAX_S))
                self._server.kill()
            case _:
                assert_never(accident)
        ready_s = self._server.start()
        if accident is Accident.ALL_KILLED:
            self._agents.start()
        return ready_s, cut

    def _wait_for_progress(self, orders: float) -> None:
        """Wait until the agents have done about `orders` more, or have begun and a second has passed.

        An idle server has nothing to lose: so not before they have done a few, nor when they have done all.
        """
        before = evidence.count(self._scratch)
        wanted = before + orders * evidence.ORDER_BYTES
        least = before + PROGRESS_ORDERS * evidence.ORDER_BYTES
        began = time.monotonic()
        soon = began + WAIT_MAX_S
        while (now := evidence.count(self._scratch)) < wanted and not (
            now > least and time.monotonic() > soon
        ):
            if not self._agents.is_running:
                raise ProcessFailed(f"The agents ended; why is in {self._scratch.log}.")
            if time.monotonic() > began + PROGRESS_WITHIN_S:
                raise ProcessFailed(f"Next to nothing was acknowledged for {PROGRESS_WITHIN_S:.0f} s.")
            time.sleep(0.005)

    def _list_touched(self, now: evidence.Evidence) -> set[str]:
        """Return the newest executions of which more was acknowledged than when they were last compared."""
        ended = set(now.ended.values())
        touched = set()
        for execution_id, marks in reversed(now.marks.items()):  # in the order in which they were begun
            acknowledged = len(marks) + (execution_id in ended)
            if self._compared.get(execution_id) != acknowledged:
                touched.add(execution_id)
                self._compared[execution_id] = acknowledged
            if len(touched) == COMPARED_MAX:
                break
        return touched

    def _compare(self, now: evidence.Evidence, executions: Iterable[str], *, whole: bool = True) -> list[str]:
        with self._server.client() as client:
            lost = evidence.find_losses(client, now, set(executions))
            if lost or whole:
                self._report.problems += client.verify_data().problems
            return lost

    def _finish(self) -> None:
        """Let what was begun end, then compare everything that was ever acknowledged."""
        report = self._report
        if report.ok:
            self._said("Finishing what was begun.")
            self._agents.end(finished=False)
            self._agents.start(finish=True)
            if self._agents.end(finished=True, within_s=FINISH_WITHIN_S) != 0:
                report.problems.append(f"The agents could not finish; why is in {self._scratch.log}.")
            now = evidence.gather(self._scratch)
            self._said(f"Comparing all that was acknowledged, of {len(now.marks):,} executions.")
            report.lost += self._compare(now, now.marks)
            report.unfinished = [f"{name} was begun and has not ended" for name in sorted(now.unfinished)]
        else:  # after a loss there is nothing to wait for
            self._agents.kill()
            now = evidence.gather(self._scratch)
        report.lost += now.rerun
        report.acknowledged, report.executions = now.acknowledged, len(now.marks)
        report.effects_decided = now.decided
        report.effects, report.effects_doubled, report.effects_missing = evidence.find_wrong_effects(
            self._scratch, now
        )
        if (code := self._server.stop()) != 0:
            report.problems.append(f"The server ended with {code} when it was asked to stop.")
