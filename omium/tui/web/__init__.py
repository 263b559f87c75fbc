"""The dashboard in a browser: textual-serve behind a gate of our own.

    gate.py      who may come in: names, origins, links, cookies     server.py   pages and sockets
    sessions.py  one process for each open dashboard                 child.py    that process
    wire.py      what browsers say on their sockets                  confine.py  what that process may not do

textual-serve itself asks nobody who they are, and starts a process for whoever connects. Here nothing starts
before the gate has let a request through (docs/dashboard.md says what is protected, and what is not).
"""
