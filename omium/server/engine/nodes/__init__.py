"""Nodes: executions of specs, scheduled node by node by the server (driver `engine`).

    places.py        who does a node                   rebuild.py      records instead of nodes (undoing.py)
    work.py          one execution, one transaction    settling.py     the status that follows
    activating.py    a node takes its inputs           inputs.py       references become values
    driving.py       goes through what follows         ending.py       a node's end, the scheduler's word
    records.py       results become steps              results.py      schemas, checkpoints
    waits.py         timers, signals, approvals        deciding.py     what people and others say
    maps.py items.py a body for each item              children.py     subworkflows (child_starts.py)
    tasks.py         complete, fail, touch, give back  claiming.py     whose turn it is (slots.py)
    turns.py         what a task journals              retries.py      whether another try follows
    node_effects.py  effects of nodes                  conditions.py   `when`, between two transactions
    starting.py      an execution begins               going_on.py     resume (stopping.py: pause, cancel)
    sweeps.py        timers, leases, what was left     loop.py         the server's loop (task_runs.py)
    rebuild.py       all of it again, from the records

The records decide: what has ended is a row of `steps` with its event; activations and instances are working
state beside them. Whatever happens to one execution happens under the lock of its row, in one transaction:
if the process dies anywhere in here, neither the record nor what follows from it is there.
"""
