"""Calls that race in threads, killed and resumed in other orders: each gets the result of its own input.

The driver's side runs for real, in threads that are let go one by one; the server's side is
tests/sdk/edge.py. No process dies: from the kill on, nothing that the threads say is heard.
"""

import random
import threading
from collections import Counter
from dataclasses import dataclass, field

import pytest

import omium
from omium.sdk import carrying
from tests.faults.planted import plant
from tests.sdk.edge import Edge, entered, record

CALLS = 5
KILLS_MAX = 2


class Killed(BaseException):
    """What a call gets that wants to say something after the kill."""


class MortalEdge(Edge):
    """An edge that hears nothing more once `killed`."""

    killed = False

    def write(self, request):
        if self.killed:
            raise Killed
        return super().write(request)


@dataclass
class Life:
    """One process: its calls in threads, begun in one order and ended in another."""

    inputs: list[str]
    edge: MortalEdge
    ran: Counter[str] = field(default_factory=Counter)
    results: dict[int, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._here = threading.local()
        self._entered = [threading.Event() for _ in self.inputs]
        self._let_go = [threading.Event() for _ in self.inputs]

        @omium.step(name="part")
        def part(x):
            return f"part of {x}"

        @omium.step(name="work")
        def work(x):
            self._entered[self._here.number].set()
            assert self._let_go[self._here.number].wait(60)
            self.ran[x] += 1
            return [x, part(x)]

        self._work = work

    def run(self, records, begins: list[int], ends: list[int], survivors: int) -> None:
        """Begin the calls in the order `begins`, end them as `ends` says, and die after `survivors`."""
        with entered(self.edge.driving(records)):
            carrying.begin()
            try:
                threads = [
                    threading.Thread(target=self._call, args=(number,)) for number in range(len(begins))
                ]
                for number in begins:
                    threads[number].start()
                    assert self._entered[number].wait(60)
            finally:
                carrying.end()
            for count, number in enumerate(ends):
                self.edge.killed = self.edge.killed or count >= survivors
                self._let_go[number].set()
                threads[number].join(60)

    def _call(self, number: int) -> None:
        self._here.number = number
        try:
            self.results[number] = self._work(self.inputs[number])
        except Killed:
            pass
        finally:
            self._entered[number].set()


def permute(gate, chance: random.Random) -> None:
    """Run the calls of one execution in random orders through some kills to their end."""
    inputs = [f"x{chance.randrange(CALLS)}" for _ in range(CALLS)]  # some are equal
    known: dict[str, dict[str, object]] = {}
    lives = chance.randrange(1, KILLS_MAX + 1)
    for life_number in range(lives + 1):
        survivors = CALLS if life_number == lives else chance.randrange(CALLS)
        life = Life(inputs, MortalEdge())
        begins, ends = (chance.sample(range(CALLS), CALLS) for _ in range(2))
        had = Counter(each["output"][0] for each in known.values() if each["name"] == "work")
        life.run([to_record(each) for each in known.values()], begins, ends, survivors)
        known |= {str(each["path"]): each for each in life.edge.of("step.completed")}
        again = life.ran - (Counter(inputs) - had)
        gate.lost(sum(again.values()), f"{again} ran again, though {had} were recorded")
    for number, x in enumerate(inputs):
        got = life.results.get(number)
        gate.lost(got != [x, f"part of {x}"], f"{x} got {got}")
    recorded = Counter(each["output"][0] for each in known.values() if each["name"] == "work")
    gate.lost(recorded != Counter(inputs), f"recorded {recorded} of {Counter(inputs)}")


def to_record(write: dict[str, object]) -> dict[str, object]:
    made = record(str(write["name"]), write["input_digest"], write["output"])
    return made | {name: write[name] for name in ("path", "occurrence", "attempt")}


@pytest.mark.gate(
    promise="What ran in threads and was killed goes on in any order: each call gets its own input's result.",
    fault="Threads that begin and end in random orders, killed up to twice; some inputs are equal.",
)
def test_calls_in_threads_get_their_own_results_in_any_order(gate):
    for _ in gate.each(short=1_000, long=10_000, what="permutations"):
        permute(gate, gate.random)


@pytest.mark.planted(
    bug="Results are found by number", gate="test_calls_in_threads_get_their_own_results_in_any_order"
)
def test_the_gate_catches_results_that_are_found_by_number(trial, monkeypatch):
    plant("results-by-number", monkeypatch)
    for _ in trial.each(short=1_000, long=10_000, what="permutations"):
        permute(trial, trial.random)
