"""An app whose alerts may go to a target on loopback, and what moves them along."""

from dataclasses import dataclass

import pytest

from omium.server.alerts.deliver import Deliverer
from omium.server.alerts.facts import note_fact
from omium.server.alerts.gather import GATHER_S, gather_facts
from omium.states import AlertKind
from tests.alerts.targets import HttpTarget, open_target
from tests.serverfixture import AppClient, open_app_client, test_settings


@dataclass
class Alerting:
    """A client, its target, and the background's work by hand."""

    client: AppClient
    target: HttpTarget
    deliverer: Deliverer

    async def add(self, **fields):
        body = {"name": "on call", "channel": "webhook", "destination": self.target.url} | fields
        reply = await self.client.post_keyed("/v1/alerts/rules", body)
        assert reply.status_code == 201, reply.text
        return reply.json()

    async def note(self, kind=AlertKind.FAILURE_OPENED, *, subject="fl_1", tenant_id=None, **fields):
        tenant_id = tenant_id or self.client.key.tenant_id
        text = fields.pop("text", "report fails in write: ValueError.")
        await self.client.server.db.write(
            lambda tx: note_fact(tx, kind, tenant_id, subject=subject, text=text, **fields)
        )

    async def gather(self) -> int:
        return await self.client.server.db.write(gather_facts)

    async def deliver(self) -> int:
        """Send what is due, and wait until it is noted."""
        sent = await self.deliverer.run_once()
        await self.deliverer.settle()
        return sent

    async def pass_on(self) -> int:
        """Gather, let the waiting time pass, send."""
        await self.gather()
        self.client.clock.advance(seconds=GATHER_S)
        return await self.deliver()

    async def deliveries(self, **query):
        return (await self.client.get("/v1/alerts/deliveries", params=query)).json()["items"]


@pytest.fixture
async def alerting(tmp_path):
    async with open_target() as target:
        settings = test_settings(tmp_path, outbound_allow=(target.allowed,), outbound_timeout_s=5.0)
        async with open_app_client(settings) as client:
            deliverer = Deliverer(client.server.db, client.server.channels, client.clock)
            yield Alerting(client, target, deliverer)
            await deliverer.stop()


@pytest.fixture
async def each_alerting(tmp_path, database_url):
    url = database_url if database_url.startswith("postgresql://") else None
    async with open_target() as target:
        settings = test_settings(tmp_path, outbound_allow=(target.allowed,), database_url=url)
        async with open_app_client(settings) as client:
            deliverer = Deliverer(client.server.db, client.server.channels, client.clock)
            yield Alerting(client, target, deliverer)
            await deliverer.stop()
