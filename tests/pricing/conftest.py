"""Fixtures of the price book's tests."""

from tests.serverfixture import app_client, each_app_client, make_app_client

__all__ = ["app_client", "each_app_client", "make_app_client"]
