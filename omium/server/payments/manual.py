"""The manual provider: money comes by any way there is, and the operator books it against a reference.

The default of a server of one's own. Who has the scope `server` books at once; what others ask for waits as
`pending` until such a one confirms it.
"""

from __future__ import annotations

from collections.abc import Mapping

from omium.errors import NotFound
from omium.server.payments.provider import Checkout, Notice, Order

NAME = "manual"


class Manual:
    """No provider at all."""

    name = NAME
    has_checkout = False

    async def open_checkout(self, order: Order) -> Checkout:
        """Refuse: nobody is sent anywhere."""
        raise NotFound(f"{order.payment_id} is confirmed by the operator; there is no checkout to open.")

    def read_notice(self, headers: Mapping[str, str], body: bytes, now_us: int) -> Notice:
        """Refuse: nobody tells anything."""
        del headers, body, now_us
        raise NotFound("Nobody tells this server of payments.")

    async def close(self) -> None:
        """Nothing is open."""
