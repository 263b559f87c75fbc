"""Which providers a server has: `manual` always, and the one that the operator has chosen."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from omium.errors import ConfigError, InvalidRequest, NotFound
from omium.server.payments import manual
from omium.server.payments.provider import Provider
from omium.server.settings import ServerSettings

STRIPE = "stripe"
NAMES = (manual.NAME, STRIPE)


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers of one server by name, and which of them a top-up goes through unless it names one."""

    chosen: str
    by_name: dict[str, Provider]

    def choose(self, name: str | None) -> Provider:
        """Return the provider `name`, or the chosen one; raises `InvalidRequest` where it is not set up."""
        found = self.by_name.get(name or self.chosen)
        if found is None:
            raise InvalidRequest(
                f"This server has no payment provider {name!r}; it has {', '.join(sorted(self.by_name))}.",
                errors=[{"pointer": "/provider", "detail": "is not set up"}],
            )
        return found

    def get(self, name: str) -> Provider:
        """Return the provider `name`; raises `NotFound`."""
        found = self.by_name.get(name)
        if found is None:
            raise NotFound
        return found

    async def close(self) -> None:
        """Close all of them."""
        for provider in self.by_name.values():
            await provider.close()


def open_providers(settings: ServerSettings) -> Providers:
    """Return the providers that `settings` name. Raises `ConfigError`, which says what is missing."""
    found: dict[str, Provider] = {manual.NAME: manual.Manual()}
    if settings.payment_provider not in NAMES:
        raise ConfigError(
            f"OMIUM_PAYMENT_PROVIDER is {settings.payment_provider!r}; it can be {' or '.join(NAMES)}."
        )
    if settings.payment_provider == STRIPE:
        if importlib.util.find_spec("stripe") is None:
            raise ConfigError(
                "OMIUM_PAYMENT_PROVIDER is stripe, whose package is missing: pip install 'omium-os[stripe]'"
            )
        from omium.server.payments.stripe_checkout import open_stripe  # noqa: PLC0415  # an extra

        found[STRIPE] = open_stripe(settings)
    return Providers(settings.payment_provider, found)
