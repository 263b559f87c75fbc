"""Beats of nodes' tasks: every task's lease is kept, however many one worker does."""

import itertools
import threading

from omium.jsonvalue import TypeRegistry, json_bytes, parse_json
from omium.sdk.flows import HttpAnswer
from omium.sdk.task_beats import TASKS_MAX, TaskBeats
from omium.sdk.task_context import TaskContext

TYPES = TypeRegistry()
WAIT_S = 60.0


class TickingClock:
    """Each look is a second after the one before, so that every beat is due at once."""

    def __init__(self):
        self._looks_s = itertools.count(1)

    def boot_us(self):
        return next(self._looks_s) * 1_000_000

    now_us = boot_us


class Server:
    """Answers every beat with no news, and knows which tasks have beaten."""

    def __init__(self, awaited):
        self.awaited = awaited
        self.beaten = set()
        self.sizes = []
        self.all_beaten = threading.Event()

    def http(self, request):
        tasks = parse_json(request.body)["tasks"]
        self.sizes.append(len(tasks))
        self.beaten.update(task["path"] for task in tasks)
        if len(self.beaten) == self.awaited:
            self.all_beaten.set()
        news = [{"lost": False, "cancel_requested": False} for _ in tasks]
        return HttpAnswer(200, {}, json_bytes({"tasks": news}), 0)


def make_context(number):
    grant = {"execution_id": "ex_1", "path": f"n{number}", "epoch": 1, "token": "t", "heartbeat_s": 0.5}
    return TaskContext(grant, types=TYPES, capture=False)


def test_of_more_tasks_than_one_beat_can_name_none_is_left_out():
    contexts = [make_context(number) for number in range(2 * TASKS_MAX + 1)]
    server = Server(len(contexts))
    beats = TaskBeats(server, lambda _context: None, TickingClock())
    for context in contexts:
        beats.add(context)
    try:
        assert server.all_beaten.wait(WAIT_S), f"{len(server.beaten)} of {len(contexts)} have beaten"
    finally:
        for context in contexts:
            beats.remove(context)
    assert max(server.sizes) <= TASKS_MAX
