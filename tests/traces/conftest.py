"""What tests of traces share: an app on each database, and spans to send."""

from tests.serverfixture import (
    app_client,
    each_app_client,
    make_app_client,
    make_running_server,
    running_server,
)

__all__ = ["app_client", "each_app_client", "make_app_client", "make_running_server", "running_server"]
