"""What starts executions by itself: schedules, webhooks that come in, the end of another workflow.

    cron.py        when a schedule is due, with time zones; pure
    starting.py    one start on behalf of who made it, noted with its outcome, once
    planning.py    schedules: made, paused, resumed, deleted, shown
    firing.py      the sweeps that fire them
    triggers.py    triggers: made, rotated, deleted, shown
    incoming.py    a webhook: its signature, its time, its body as inputs
    following.py   the sweep that follows ends

Each time is a row of `fires` with a key of its own, and its execution's id follows from that key: whatever
comes twice, a server, a message or a sweep, starts once.
"""
