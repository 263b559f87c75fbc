"""A server in this process with an execution that has one of everything, and its bundle."""

import pytest

from omium.bundle import write_bundle
from tests.bundle.recorded import record
from tests.serverfixture import app_client, make_app_client, open_app_client, test_settings

__all__ = ["app_client", "bundle_file", "make_app_client", "recorded"]


@pytest.fixture
async def recorded(tmp_path):
    async with open_app_client(test_settings(tmp_path)) as app:
        yield await record(app)


@pytest.fixture
async def bundle_file(recorded, tmp_path):
    """The bundle of the recorded execution, with its children."""
    path = tmp_path / "made.omium"
    async with recorded.client() as client:
        await write_bundle(client, recorded.id, path, with_children=True)
    return path
