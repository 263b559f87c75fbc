"""A real server, and this process's session with it."""

from tests.sdk.served import make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]
