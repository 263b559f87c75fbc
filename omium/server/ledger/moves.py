"""Moves: the hint, after a commit, that a tenant's credits are not what they were. Told to the live hub.

As with announcements of executions (engine/live.py): called as it is, it does nothing; other servers' commits
tell nothing here, so whoever shows credits also looks every second.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.live import LiveHub


@dataclass(frozen=True, slots=True)
class CreditsMoved:
    """A tenant's funds have another balance, or hold another sum."""

    tenant_id: str

    def __call__(self) -> None:
        """Tell nobody: the database was opened without a hub."""

    def tell(self, hub: LiveHub) -> None:
        """Mark what is shown of the tenant's credits as old."""
        if hub.on_credits is not None:
            hub.on_credits(self.tenant_id)
