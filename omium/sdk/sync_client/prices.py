"""Calls about the price book.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.
"""

from __future__ import annotations

from omium.models.prices import (
    CheckPrices,
    Estimate,
    PriceBookVersion,
    PriceDifference,
    PriceLookup,
    PricesAnswer,
    PriceVersion,
    RestorePrices,
    SetPrices,
)
from omium.models.wire import Page
from omium.sdk.sync_client.core import SyncCore, segment
from omium.states import Environment


class SyncPrices(SyncCore):
    """The price book, its versions, and what a model costs."""

    def get_prices(self) -> PriceBookVersion:
        """Return the price book in force."""
        return self._get("/v1/prices", PriceBookVersion)

    def check_prices(self, command: CheckPrices) -> PricesAnswer:
        """Return what a price book would change; nothing is saved."""
        return self._send("POST", "/v1/prices/check", PricesAnswer, command)

    def set_prices(self, command: SetPrices) -> PricesAnswer:
        """Save another version of the price book, which is in force at once."""
        return self._send("PUT", "/v1/prices", PricesAnswer, command)

    def restore_prices(self, command: RestorePrices) -> PricesAnswer:
        """Put an earlier version into force again, as a new version."""
        return self._send("POST", "/v1/prices/restore", PricesAnswer, command)

    def list_price_versions(self, *, limit: int = 50, after: str | None = None) -> Page[PriceVersion]:
        """Return one page of the versions of the price book, newest first."""
        return self._get("/v1/prices/versions", Page[PriceVersion], {"limit": limit, "after": after})

    def get_price_version(self, version: int) -> PriceBookVersion:
        """Return a version of the price book."""
        return self._get(f"/v1/prices/versions/{segment(str(version))}", PriceBookVersion)

    def compare_price_versions(self, version: int, *, against: int | None = None) -> PriceDifference:
        """Return what a version changed, compared with the one before or with `against`."""
        path = f"/v1/prices/versions/{segment(str(version))}/difference"
        return self._get(path, PriceDifference, {"against": against})

    def look_up_price(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        calls: int | None = None,
    ) -> PriceLookup:
        """Return what a model costs and by which rule; with tokens or calls, what they cost, too."""
        query = {
            "provider": provider,
            "model": model,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cached_tokens": cached_tokens,
            "cache_write_tokens": cache_write_tokens,
            "reasoning_tokens": reasoning_tokens,
            "calls": calls,
        }
        return self._get("/v1/prices/lookup", PriceLookup, query)

    def estimate_workflow(
        self, *, workflow: str, environment: Environment | None = None, last: int = 100
    ) -> Estimate:
        """Return what an execution of a workflow costs, from the `last` ones that completed."""
        query = {
            "workflow": workflow,
            "environment": environment.value if environment is not None else None,
            "last": last,
        }
        return self._get("/v1/credits/estimate", Estimate, query)
