"""The HTTP edge: declarations, authentication, idempotency, limits, problems, pages, OpenAPI, live streams.

Nothing here knows what an execution is. A route (`omium.server.routes`) declares an endpoint and delegates to
the engine or the ledger; this package does everything around that call. Plain ASGI throughout. Read
`endpoint.py`, then `call.py`, then `dispatch.py`, which is the path of every request.
"""
