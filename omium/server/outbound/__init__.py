"""Outbound: everything that leaves the server on a tenant's behalf, guarded.

    addresses.py    which addresses may be connected to
    http.py         one HTTP request: names resolved once and pinned, no redirects, bounded in time and size
    email.py        one e-mail through the operator's mail server
    command.py      one of the operator's commands
    signing.py      Standard Webhooks signatures, and the secrets for them
    webhook.py      a webhook's address and secrets, sealed, and a signed message to it

Nothing in here knows an alert or a tenant. There is no egress unless the operator or a tenant configures one.
"""
