"""Accounts: people, what they may do, and how they come in. Knows no HTTP.

| module | owns |
|---|---|
| `credentials.py` | the form of the secrets of sessions and invitations |
| `roles.py` | who may give which role to whom |
"""
