"""The servers that tests of the whole process use."""

from tests.serverfixture import (
    app_client,
    each_app_client,
    make_app_client,
    make_running_server,
    running_server,
)

__all__ = [
    "app_client",
    "each_app_client",
    "make_app_client",
    "make_running_server",
    "running_server",
]
