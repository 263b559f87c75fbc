"""Who waits for a chain's head on PostgreSQL: the tenant's own deeds, in their last part; nobody else."""

import asyncio
from contextlib import closing

import psycopg
import pytest

from omium.ids import new_id
from omium.server.app import open_app
from tests.serverfixture import AppClient, open_app_client, test_settings
from tests.web.walk import DIGEST, PROCESS, TOKEN

pytestmark = pytest.mark.postgres


async def test_a_deed_that_is_being_written_holds_up_neither_work_nor_other_tenants(tmp_path, postgres_url):
    async with open_app_client(test_settings(tmp_path, database_url=postgres_url)) as client:
        other = await client.new_tenant("other")
        await client.post_keyed("/v1/keys", {"name": "first"})
        with closing(psycopg.connect(postgres_url)) as somebody:
            somebody.execute(
                "SELECT 1 FROM audit_heads WHERE tenant_id = %s FOR UPDATE", [client.key.tenant_id]
            )
            deed = asyncio.create_task(client.post_keyed("/v1/keys", {"name": "second"}))
            start = {"workflow": "report", "driver": "local", "input_digest": DIGEST, "input": None}
            begun = await client.post(
                "/v1/executions",
                json=start | {"id": new_id("ex", 1), "lease_token": TOKEN, "process": PROCESS},
            )
            theirs = await other.post_keyed("/v1/keys", {"name": "theirs"})
            waited = not deed.done()
            somebody.rollback()

        assert begun.status_code in {200, 201}, begun.text
        assert theirs.status_code == 201
        assert waited
        assert (await deed).status_code == 201


async def test_deeds_at_the_same_time_on_two_servers_make_one_chain(tmp_path, postgres_url):
    settings = test_settings(tmp_path, database_url=postgres_url)
    async with open_app_client(settings) as client, open_app(settings, sweeps=False) as second:
        beside = AppClient(second, client.clock, client.key)
        replies = await asyncio.gather(
            *(
                each.post_keyed("/v1/keys", {"name": f"key {number}"})
                for number in range(30)
                for each in (client, beside)
            )
        )
        assert {reply.status_code for reply in replies} == {201}

        found = (await client.post("/v1/audit/verify", json={})).json()

        assert found["problems"] == []
        assert found["head"]["seq"] == 60
