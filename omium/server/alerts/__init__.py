"""Alerts: telling people outside what they want to know, once, and not a thousand times.

    facts.py     a fact is written in the transaction that makes it one
    gather.py    facts that match a rule become one message of it
    message.py   what such a message says
    rules.py     adding, removing and testing rules
    deliver.py   messages are sent, at least once each, with pauses between the attempts

How anything gets out of the server, guarded, is omium/server/outbound.
"""
