"""Slots: a step with a concurrency key begins when fewer than its limit run under that key, anywhere.

Owns asking and waiting; who is next is the server's. A step waits in place for a while, and looks again at
least every second. On a worker it gives the execution back then, as soon as nothing else of it runs: it keeps
its place among those that wait, and the server wakes the execution when its turn has come.
"""

from __future__ import annotations

from typing import Final

from omium.clock import US_PER_S
from omium.errors import SlotsTaken, Waits
from omium.sdk.context import Frame
from omium.sdk.driving import LONG_DELAY_S, NAP_S, Driving
from omium.sdk.flows import Flow
from omium.sdk.options import Concurrency
from omium.sdk.pausing import wait_out
from omium.states import WaitingReason

FIRST_NAP_S: Final = 0.02
LOOK_S: Final = 600.0
"""When an execution that was given back looks again if nobody has woken it."""


def take_slot(driving: Driving, frame: Frame, path: str, attempt: int, asked: Concurrency) -> Flow[None]:
    """Return when the step `path` has a slot.

    Raises `SlotsTaken` where there is none and a step around this one has a slot, `Waits` where the execution
    waits elsewhere from now on, and whatever else ends a branch: then its place is given up.
    """
    rows, began_us, nap_s, state = driving.slot_rows, driving.clock.boot_us(), FIRST_NAP_S, ""
    told = {"path": path, "attempt": attempt, "key": asked.key}
    rows.enter(asked.key, path)
    try:
        with driving.delayed(path, driving.clock.now_us() + round(LOOK_S * US_PER_S), in_row=True):
            while True:
                ahead = rows.count_ahead(asked.key, path)
                if ahead >= asked.limit:  # the further behind, the longer until somebody has to look
                    nap_s = min(FIRST_NAP_S * ahead / asked.limit, NAP_S)
                elif driving.hold(path):
                    state = "asked"
                    outcome = yield from driving.write({"type": "slot.asked", **told, "limit": asked.limit})
                    state = outcome.result["slot"]
                    if state != "waiting":
                        break
                    driving.let_go(path)
                    nap_s = min(2 * nap_s, NAP_S)
                waited_s = (driving.clock.boot_us() - began_us) / US_PER_S
                if driving.leaves or (driving.on_worker and state and waited_s > LONG_DELAY_S):
                    driving.leave_if_idle(path, WaitingReason.SLOT, f"a slot of {asked.key}", key=asked.key)
                yield from driving.pause(nap_s, frame)
                yield from wait_out(driving, frame)
    except BaseException as error:
        if state and not (driving.leaves or isinstance(error, Waits)):
            return_slot(driving, path, attempt, asked)
        rows.leave(asked.key, path)
        driving.let_go(path)
        raise
    if state == "taken":
        rows.leave(asked.key, path)
        driving.let_go(path)
        raise SlotsTaken(
            f"{path} has no slot of {asked.key}: {asked.limit} of its kind run, and it may not wait, because "
            "a step around it has a slot of another key. Let another try follow (retry), or give one of them "
            "no `concurrency`.",
            key=asked.key,
        )


def return_slot(driving: Driving, path: str, attempt: int, asked: Concurrency) -> None:
    """Let the server know, with the next write, that the try has ended or waits no more."""
    driving.slot_rows.leave(asked.key, path)
    driving.along({"type": "slot.returned", "path": path, "attempt": attempt, "key": asked.key})
