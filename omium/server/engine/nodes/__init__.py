"""Nodes: executions of specs, scheduled node by node by the server (driver `engine`).

    definitions.py  the pinned version of a workflow, compiled once        scopes.py     paths, scopes, vectors
    work.py         one execution's changes in one transaction             records.py    results become steps
    running.py      from a node's end to the nodes that are ready next     inputs.py     references become values
    kinds.py        wait, approval, decision, map, subworkflow             settling.py   the status that follows
    starting.py     an execution begins                                    tasks.py      claim, touch, complete, fail
    going_on.py     resume, pause, cancel                                  sweeps.py     leases, timers, slots

The records decide: what has ended is a row of `steps` with its event; activations and instances are working
state beside them. Whatever happens to one execution happens under the lock of its row, in one transaction:
if the process dies anywhere in here, neither the record nor what follows from it is there.
"""
