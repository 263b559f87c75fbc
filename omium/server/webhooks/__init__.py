"""Webhooks: nodes' tasks pushed to targets that tenants registered.

    targets.py      creating, rotating, testing, deleting a target
    messages.py     what is sent, and what a reply means
    sending.py      one signed request through the guarded client
    pusher.py       which task goes to which target, and keeping its lease
    callbacks.py    a result that comes later, with the task's own token

A target is a worker that is called instead of calling: it's granted tasks by the same function of the engine,
fenced by the same epoch and token. Which address is acceptable is omium/server/outbound.
"""
