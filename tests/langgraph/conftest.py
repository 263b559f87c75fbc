"""A real server, and this process's session with it: what LangGraph's adapter talks to."""

import pytest

from omium.config import load_settings
from omium.sdk.session import Session, use_session
from tests.serverfixture import make_running_server, running_server

__all__ = ["make_running_server", "running_server", "session"]


@pytest.fixture
def session(running_server, tmp_path):
    """The session of this process with `running_server`, closed afterwards."""
    settings = load_settings(
        base_url=running_server.base_url,
        api_key=running_server.api_key,
        environ={"OMIUM_CONFIG_DIR": str(tmp_path / "config")},
    )
    made = Session(settings)
    use_session(made)
    yield made
    made.close()
    use_session(None)
