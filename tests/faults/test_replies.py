"""A network that loses, doubles, delays and reorders: each thing asked for happens once, with one answer."""

import contextlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import omium
from omium.config import load_settings
from omium.errors import OmiumError, SecretNotRepeatable
from omium.models.keys import CreateKey
from omium.sdk import exchange
from omium.sdk.session import Session, use_session
from tests.faults.unreliable import Unreliable, split_answer
from tests.sdk.served import TIMEOUT_S

THREADS = 4
ORDERS = 6
QUEUED = "of-nobody"
MUTATING = (b"POST /v1/executions", b"POST /v1/writes", b"POST /v1/usage")


class Shop:
    """A workflow with steps in threads and effects, that knows what it really did."""

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()
        self.thought: Counter[str] = Counter()

        @omium.step
        def think(order):
            self.thought[order] += 1
            omium.record_usage(model="m", input_tokens=7)
            return order.upper()

        @omium.step(effect=True)
        def pay(order):
            self.paid[order] += 1
            return f"receipt of {order}"

        @omium.step
        def settle(order):
            return [think(order), pay(order)]

        @omium.workflow(name="shop")
        def shop(orders):
            with ThreadPoolExecutor(THREADS) as pool:
                settled = list(pool.map(settle, orders))
            omium.checkpoint("settled", len(settled))
            return settled

        self.run = shop


def lose_replies(gate, running, tmp_path, monkeypatch, seeds, chance: float = 0.08) -> None:
    """Run a shop for each seed through a network of its own and count what is not as without mishaps."""
    monkeypatch.setenv("OMIUM_API_KEY", running.api_key)
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(exchange, "FIRST_DELAY_S", 0.01)  # twenty networks in the time of one
    monkeypatch.setattr(exchange, "LAST_DELAY_S", 0.05)
    asking = httpx.Client(base_url=running.base_url, headers=running.headers, timeout=TIMEOUT_S)
    with asking:
        for seed in seeds:
            try_seed(gate, running, asking, monkeypatch, seed, chance)


def ask(asking: httpx.Client, path: str):
    reply = asking.get(path)
    assert reply.status_code == 200, reply.text
    return reply.json()


def try_seed(gate, running, asking, monkeypatch, seed: int, chance: float) -> None:
    orders = [f"o{seed}-{number}" for number in range(ORDERS)]
    shop, network = Shop(), Unreliable(running.port, f"{gate.seed} {seed}", chance)
    monkeypatch.setenv("OMIUM_BASE_URL", network.url)
    session = Session(load_settings())
    use_session(session)
    try:
        output = shop.run(orders)
        queued = {omium.run_workflow(QUEUED, idempotency_key=f"{seed}", wait=False) for _ in range(2)}
        gate.lost(len(queued) - 1, f"one key began {queued}")
        with omium.Client() as client, contextlib.suppress(SecretNotRepeatable):
            client.create_key(CreateKey(name=f"of {seed}"))  # who asks again does not see the secret again
    except (OmiumError, omium.Suspended) as error:
        output = repr(error)
    finally:
        session.close()
        use_session(None)
        network.close()
    look(gate, asking, shop, orders, output)
    begun = ask(asking, f"/v1/executions?workflow={QUEUED}&limit=500")["items"]
    gate.lost(len(begun) - seed - 1, f"{len(begun)} were queued by {seed + 1} keys")
    keys = [key["name"] for key in ask(asking, "/v1/keys?limit=500")["items"]]
    gate.lost(abs(keys.count(f"of {seed}") - 1), f"{keys.count(f'of {seed}')} keys were made of one request")
    for each in network.doubled:
        if each.request.startswith(MUTATING) and split_answer(each.first) != split_answer(each.second):
            gate.lost(1, f"two answers to {each.request[:80]!r}: {each.first!r}\n and {each.second!r}")
    gate.figure("mishaps in a run", network.mishaps)


def look(gate, asking: httpx.Client, shop: Shop, orders: list[str], output: object) -> None:
    expected = [[order.upper(), f"receipt of {order}"] for order in orders]
    gate.lost(output != expected, f"the workflow returned {output}")
    gate.lost(shop.paid != Counter(orders), f"paid: {shop.paid}")
    gate.lost(shop.thought != Counter(orders), f"thought: {shop.thought}")
    newest = ask(asking, "/v1/executions?workflow=shop&limit=1")["items"][0]["id"]
    detail = ask(asking, f"/v1/executions/{newest}")
    gate.lost(detail["output"] != expected, f"the server holds {detail['status']} {detail['output']}")
    events = ask(asking, f"/v1/executions/{detail['id']}/events?limit=500")["items"]
    told = Counter((event["type"], (event.get("data") or {}).get("path")) for event in events)
    twice = {each: count for each, count in told.items() if count > 1}
    gate.lost(len(twice), f"recorded twice: {twice}")
    gate.lost([event["seq"] for event in events] != [*range(1, len(events) + 1)], "a gap in the events")
    used = ask(asking, f"/v1/usage?execution_id={detail['id']}&limit=500")["items"]
    gate.lost(sum(each["input_tokens"] for each in used) != 7 * len(orders), f"{len(used)} records of usage")


@pytest.mark.gate(
    promise="What a driver asks for happens once and gets the same answer, however often it has to be asked.",
    fault="Requests and answers lost, cut, doubled, delayed and sent again later, by a proxy with a seed.",
)
def test_a_bad_network_doubles_nothing(gate, serve, tmp_path, monkeypatch):
    seeds = gate.each(short=20, long=200, what="seeds")
    lose_replies(gate, serve(), tmp_path, monkeypatch, seeds)


@pytest.mark.planted(bug="A step is recorded without a look", gate="test_a_bad_network_doubles_nothing")
def test_the_gate_catches_a_repeat_that_is_taken_for_new(trial, serve, tmp_path, monkeypatch):
    seeds = trial.each(short=20, long=200, what="seeds")
    lose_replies(trial, serve(bug="repeat-is-new"), tmp_path, monkeypatch, seeds)


@pytest.mark.planted(bug="Read, then write", gate="test_a_bad_network_doubles_nothing")
def test_the_gate_catches_a_look_outside_of_the_transaction(trial, serve, tmp_path, monkeypatch):
    seeds = trial.each(short=20, long=200, what="seeds")
    lose_replies(trial, serve(bug="read-then-write"), tmp_path, monkeypatch, seeds, chance=0.25)
