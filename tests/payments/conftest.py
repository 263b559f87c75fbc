"""Payments without HTTP: orders on each database, two tenants, a clock that stands still."""

from tests.ledger.conftest import clock, ledger

__all__ = ["clock", "ledger"]
