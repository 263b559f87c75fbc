"""The server: routes over web over engine over ledger over store over db, each knowing only what is below it.

Start with `app.py` (how the parts are put together) or `serve.py` (the process around them).
"""
