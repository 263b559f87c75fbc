"""What a person does with the dashboard, in a real terminal on real servers: the recordings beside this."""

import os
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

import omium
from tests.migrated import put_sqlite
from tests.sdk.served import wait_until
from tests.serverfixture import IN_CLEAR, RunningServer
from tests.tui.journeys.overnight import list_completed, make_deeds
from tests.tui.journeys.script import HERE, Journey
from tests.tui.journeys.terminal import require_tmux
from tests.tui.shop import CODE, Shop

# Each is a terminal, a server and a worker: one after another.
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("journeys")]

ASKS = {
    "omium": "0",
    "name": "asks",
    "nodes": [
        {"id": "one", "type": "approval", "parameters": {"message": "Send it?"}},
        {"id": "send", "type": "wait", "parameters": {"seconds": 1}},
    ],
    "edges": [{"from": "one", "to": "send"}],
}
WAITS = [f"w{number}" for number in range(14)]
LONG = {
    "omium": "0",
    "name": "long",
    "nodes": [
        {"id": each, "type": "wait", "parameters": {"seconds": int(each not in WAITS[:9])}} for each in WAITS
    ],
    "edges": [{"from": one, "to": other} for one, other in pairwise(WAITS)],
}
ENOUGH_TO_BEGIN_CREDITS = 0.2
"""A hold for an execution's begin and its first ten steps."""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    require_tmux()
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(tmp_path / "nobody"))
    made = Shop(tmp_path)
    yield made
    made.close()


def replay(shop, name, deeds):
    environment = {**shop.environment, "HOME": str(shop.folder)}
    journey = Journey(shop.folder, environment, deeds)
    try:
        journey.replay(name)
    finally:
        journey.close()


def test_the_first_five_minutes(tmp_path):
    require_tmux()
    put_sqlite(tmp_path / "data" / "omium.sqlite")
    server = RunningServer(tmp_path / "data", {"OMIUM_BALLAST_BYTES": "0"})
    (tmp_path / "shop.py").write_text(CODE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")} | {
        "HOME": str(tmp_path),
        "OMIUM_BASE_URL": server.base_url,
        "OMIUM_CONFIG_DIR": str(tmp_path / "config"),
        "OMIUM_DATA_DIR": str(server.data),
        "PYTHONPATH": str(Path(omium.__file__).parents[1]),
    }
    journey = Journey(tmp_path, environment, {})
    try:
        journey.replay("first_five_minutes")
    finally:
        journey.close()
        server.kill()


def test_the_morning_after(shop):
    replay(shop, "the_morning_after", make_deeds(shop))


def test_out_of_credits(shop):
    def run_out_of_credits():
        shop.run("report", "mon")
        balance = shop.get("/v1/credits")["credits"]
        taken = {"credits": round(ENOUGH_TO_BEGIN_CREDITS - balance, 6), "reason": "spent"}
        shop.post("/v1/credits/adjustments", taken)
        execution = shop.start(LONG)
        wait_until(lambda: shop.get(f"/v1/executions/{execution}")["reason"] == "credits")

    replay(shop, "out_of_credits", {"run out of credits": run_out_of_credits})
    assert len(list_completed(shop, "long")) == 1


def test_a_leaked_key(shop):
    leaked = {}

    def leak_a_key():
        leaked.update(shop.post("/v1/keys", {"name": "builds"}))
        shop.post("/v1/workflows", {"document": ASKS})
        own, shop.server.api_key = shop.server.api_key, leaked["api_key"]
        shop.cli("run", "asks", "--no-wait")
        shop.server.api_key = own

    def be_refused_with_the_leaked_key():
        headers = {"authorization": f"Bearer {leaked['api_key']}"}
        answer = httpx.get(f"{shop.server.base_url}/v1/whoami", headers=headers, timeout=60, verify=IN_CLEAR)
        assert answer.status_code == 401

    deeds = {
        "leak a key": leak_a_key,
        "be refused with the leaked key": be_refused_with_the_leaked_key,
    }
    replay(shop, "a_leaked_key", deeds)


def test_approve_and_go_on(shop):
    replay(shop, "approve_and_go_on", {"ask a person": lambda: shop.start(ASKS)})
    execution = shop.newest("asks")
    events = shop.get(f"/v1/executions/{execution}/events?limit=200")["items"]
    decided = [each["data"] for each in events if each["type"] == "approval.decided"]
    assert decided[0]["comment"] == "read and fine"


def test_every_recording_is_replayed():
    replayed = {
        name.removeprefix("test_").removeprefix("the_") for name in globals() if name.startswith("test_")
    }
    assert {file.stem.removeprefix("the_") for file in HERE.glob("*.txt")} <= replayed
