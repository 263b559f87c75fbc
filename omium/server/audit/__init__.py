"""The audit log: who did what, on what, when, from where, with which result.

`log.py` writes entries in the transaction of what they tell, `chain.py` says what their digests are,
`verify.py` finds the first one that is not as it was written, `refusals.py` bounds what strangers can make
us write. Which endpoints are audited follows from their declarations (web/endpoint.py).
"""

from omium.server.audit.log import Actor, AuditLog

__all__ = ["Actor", "AuditLog"]
