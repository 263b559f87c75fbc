"""What tests of importing share: the command line, and a real server."""

from tests.cli.conftest import cli
from tests.serverfixture import make_running_server, running_server

__all__ = ["cli", "make_running_server", "running_server"]
