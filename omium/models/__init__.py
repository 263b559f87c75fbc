"""Wire types, shared by server, SDK, CLI and dashboard: one module per noun.

Times on the wire are integer microseconds UTC and end in `_at_us`; sizes end in `_bytes`. `execution` holds
what people see, `driver` what a process that runs user code says; start with `wire` for the two root classes.
"""
