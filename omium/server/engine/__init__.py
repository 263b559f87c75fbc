"""The engine: what happens to executions. Decides; the SQL is in omium/server/store, HTTP is nowhere here.

Tables
    executions         one small row per run: status, grant (epoch, lease), counters. It decides everything.
    execution_details  input, output, error, code, limits of it: large, or read seldom
    events             its append-only log, numbered without gaps; folding it gives the row (fold.py)
    epochs             every grant: to whom, why, which process, which code
    steps              the live record of each path, and those that were superseded
    step_attempts      failed tries          effects       side effects, one row per key in a lineage
    checkpoints        saved states          compensations what a rollback undoes
    payloads           large and sealed values, counted; a value column holds JSON or an address

Flow of a driver's execution
    start.py     (start_packing.py) a `local` start is granted at once, a `worker` start is queued
    claims.py    a worker takes queued executions, in turn between workflows
    grants.py    epoch + 1, a new lease token, and the records that travel with it
    writes.py    every write is packed (packing.py), passes the fence (fence.py: epoch and token, never time),
                 then one handler: steps.py, effects.py, effect_results.py, checkpoints.py, ending.py
    leases.py    finds leases that ran out; losses.py: an interruption, or a failure `driver-lost`, and
                 effect_losses.py: what was announced and not reported is unknown; late_effects.py hears it
    resume.py    a person, a program or a restarted driver goes on
    cancel.py    a cancel or a pause is a request; timers.py ends waiting; limits.py says when it is enough
    failures.py, replay.py, rollback.py, compensations.py, decisions.py: what people do about what went wrong
    transitions.py  the only place that changes a status or numbers an event

Locks are taken in one order (executions by their creation, effects, groups of failures, payloads), and what
goes through many executions is cut into small transactions: docs/decisions/082-one-order-of-locks.md.

Values are packed and opened outside of transactions (values.py); views.py makes the wire types from rows.
Every function that takes a `tx` is a plain function of the database: no clock, no I/O, no globals, so that
it can be run again. Rules: docs/concepts.md for users; the tests in tests/engine are named after them.
"""
