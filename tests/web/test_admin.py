"""The operator's own: backups that stay in their folder, checks, metrics, readiness."""

import stat

import httpx

from omium.models.server import MakeBackup
from omium.server.web import metrics
from omium.states import Scope


async def test_a_backup_lands_in_the_servers_folder_for_its_owner_only(app_client):
    reply = await app_client.post("/v1/admin/backup", json={"name": "first.sqlite"})

    assert reply.status_code == 201, reply.text
    made = reply.json()
    file = app_client.server.settings.data / "backups" / "first.sqlite"
    assert made["file"] == str(file)
    assert made["size_bytes"] == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made["key_file"] is None
    assert "not in this backup" in made["note"]


async def test_a_backup_carries_the_keys_only_when_asked(app_client):
    made = (await app_client.post("/v1/admin/backup", json={"with_keys": True})).json()
    copies = list((app_client.server.settings.data / "backups").glob("*.keys.json"))

    assert [str(copy) for copy in copies] == [made["key_file"]]
    assert copies[0].read_bytes() == app_client.server.key_file.path.read_bytes()
    assert stat.S_IMODE(copies[0].stat().st_mode) == 0o600


async def test_a_backup_of_either_database(each_app_client):
    made = await each_app_client.post("/v1/admin/backup", json={})

    assert made.status_code == 201
    assert made.json()["size_bytes"] > 0


async def test_a_backup_never_overwrites_and_never_leaves_its_folder(app_client):
    await app_client.post("/v1/admin/backup", json={"name": "a"})
    again = await app_client.post("/v1/admin/backup", json={"name": "a"})
    outside = [
        (await app_client.post("/v1/admin/backup", json={"name": name})).status_code
        for name in ("../a", "/tmp/a", ".hidden", "a/b", "")
    ]

    assert again.status_code == 400
    assert outside == [400] * 5


async def test_two_backups_in_a_row_have_different_names(app_client):
    first = (await app_client.post("/v1/admin/backup", json=MakeBackup().model_dump())).json()
    app_client.clock.advance(seconds=0.001)
    second = (await app_client.post("/v1/admin/backup", json={})).json()

    assert first["file"] != second["file"]


async def test_a_check_says_what_it_looked_at(each_app_client):
    async def gloomy(db):
        return ["the books do not balance"]

    each_app_client.server.checks.append(("books", gloomy))
    reply = await each_app_client.get("/v1/admin/verify")

    assert reply.json()["problems"] == ["books: the books do not balance"]
    checks = reply.json()["checks"]
    assert checks[:3] == ["integrity of the database", "executions", "ledger"]
    assert checks[-1] == "books"


async def test_only_the_scope_server_opens_them(app_client):
    worker = app_client.as_key(await app_client.new_key(*(set(Scope) - {Scope.SERVER})))

    assert (await worker.post("/v1/admin/backup", json={})).status_code == 403
    assert (await worker.get("/v1/admin/verify")).status_code == 403


async def test_metrics_count_requests_and_name_no_id(app_client):
    await app_client.get("/v1/whoami")
    await app_client.post("/v1/keys/ak_01k9xxxx/revoke")
    text = (await app_client.as_nobody().get("/metrics")).text

    assert 'omium_http_requests_total{endpoint="GET /v1/whoami",status="200"} 1.0' in text
    assert 'endpoint="POST /v1/keys/{key_id}/revoke",status="404"' in text
    assert 'omium_http_request_seconds_bucket{endpoint="GET /v1/whoami",le="+Inf"} 1.0' in text
    assert "omium_db_works_total" in text
    assert 'omium_executions{status="queued"} 0.0' in text
    assert "01k9xxxx" not in text


async def test_metrics_are_for_this_machine_or_the_scope_server(app_client):
    key = app_client.key
    stranger = app_client.as_nobody(peer="192.0.2.1")
    reader = app_client.as_key(await app_client.new_key(Scope.READ), peer="192.0.2.1")

    assert (await stranger.get("/metrics")).status_code == 401
    assert (await reader.get("/metrics")).status_code == 403
    assert (await app_client.as_key(key, peer="192.0.2.1").get("/metrics")).status_code == 200


async def test_readiness_ends_when_the_server_stops(each_app_client):
    ready = await each_app_client.get("/readyz")
    each_app_client.server.drain()
    stopping = await each_app_client.get("/readyz")
    alive = await each_app_client.get("/healthz")

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert (stopping.status_code, stopping.json()["status"]) == (503, "stopping")
    assert alive.status_code == 200


def test_a_histogram_puts_each_value_under_its_bound():
    counted = metrics.Metrics()
    for seconds in (0.0005, 0.001, 0.003, 99.0):
        counted.observe("GET /x", 200, seconds)
    lines = counted.render().decode().splitlines()

    assert 'omium_http_request_seconds_bucket{endpoint="GET /x",le="0.001"} 2.0' in lines
    assert 'omium_http_request_seconds_bucket{endpoint="GET /x",le="0.005"} 3.0' in lines
    assert 'omium_http_request_seconds_bucket{endpoint="GET /x",le="+Inf"} 4.0' in lines


def test_a_running_server_shows_its_metrics(running_server):
    text = httpx.get(f"{running_server.base_url}/metrics", timeout=60).text

    assert "omium_uptime_seconds" in text
    assert "omium_connections_open" in text
