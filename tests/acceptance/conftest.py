"""Real servers, and scripts that run against them."""

from tests.sdk.served import make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]
