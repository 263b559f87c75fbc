"""JSON about which databases and readers disagree: refused with its place, the same on SQLite and PostgreSQL.

What is just within the limits is taken, and comes back equal from both.
"""

import json
import random
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from omium.ids import new_id
from tests.faults.planted import plant
from tests.serverfixture import AppClient, open_app_client, test_settings
from tests.web.walk import DIGEST, PROCESS, TOKEN, group, step_write

MARK = "@@"
HOSTILE = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "18446744073709551616",
    "9223372036854775808",
    "-9223372036854775809",
    "9" * 4_000,
    "[" * 65 + "]" * 65,
    '{"a":' * 65 + "1" + "}" * 65,
    "[" * 100_000,
    json.dumps({str(number): 0 for number in range(10_001)}),
    '{"a":1,"a":1}',
    '{"a":{"b":1,"b":2}}',
    r'"\ud800"',
    r'"\udc00\ud800"',
    r'{"\ud83d":1}',
    r'"\u0000"',
    r'"a\\\u0000"',
    r'{"\u0000":1}',
    '"a\x00b"',
    '"a\x1fb"',
    "[1,]",
    '{"a":1,}',
    "[01]",
    "[1.]",
    "[.5]",
    "[+1]",
    "[0x1]",
    "['a']",
    "[//\n1]",
    "[tru]",
    r'"\x41"',
    '"',
    ",",
]
NOT_UTF8 = [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'{"\xfe":1}', b'"\xf8\x88\x80\x80\x80"']
TAKEN = [
    "[" * 50 + "]" * 50,
    json.dumps({str(number): 0 for number in range(10_000)}),
    "[9223372036854775807, -9223372036854775808]",
    "[1.7976931348623157e308, 5e-324, -0.0, 0.1, 1e22, 1E2]",
    r'["\ud83d\ude00", "😀", "\\u0000", "\u2028", "\u007f", "é", "e\u0301"]',
    '{"": {"": [null, true, false]}, "$omium": 1, "a/b~c": {}}',
    '"' + "[" * 5_000 + '"',
]


class Places:
    """Where a driver's own JSON goes in: the request, and the pointer to the value in it."""

    def __init__(self) -> None:
        self.execution_id = new_id("ex", 1)
        writes = {
            "output": step_write("s", type="step.completed", output=MARK),
            "input": step_write("s", type="step.completed", output=1, input=MARK),
            "state": {
                "type": "checkpoint.saved",
                "id": new_id("cp", 1),
                "name": "n",
                "state": MARK,
                "at_us": 1,
            },
        }
        self.all = {
            "/input": ("/v1/executions", self.start() | {"input": MARK}),
            "/input/a/0": ("/v1/executions", self.start() | {"input": {"a": [MARK]}}),
            "/reason": ("/v1/breakers/b", {"state": "open", "reason": MARK}),
            "/name": ("/v1/keys", {"name": MARK}),
            "/facts/f": ("/v1/graphs/list", {"filter": {"f": MARK}}),
        }
        for name, write in writes.items():
            body = {"groups": [group(self.execution_id, write)]}
            self.all[f"/groups/0/writes/0/{name}"] = ("/v1/writes", body)

    def start(self) -> dict[str, object]:
        about = {"id": self.execution_id, "workflow": "w", "driver": "local", "input_digest": DIGEST}
        return about | {"lease_token": TOKEN, "process": PROCESS}


class Both:
    """The same server twice, on SQLite and on PostgreSQL."""

    def __init__(self, clients: list[AppClient]) -> None:
        self.clients = clients

    async def post(self, path: str, body: bytes, key: str) -> list[tuple[int, dict[str, object]]]:
        answers = []
        for client in self.clients:
            headers = {"content-type": "application/json", "Idempotency-Key": key}
            reply = await client.post(path, content=body, headers=headers)
            answers.append((reply.status_code, {**reply.json(), "request_id": ""}))
        return answers


@asynccontextmanager
async def open_both(tmp_path, postgres_url):
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_app_client(test_settings(tmp_path / name, database_url=url)))
            for name, url in (("sqlite", None), ("postgres", postgres_url))
        ]
        yield Both(opened)


def put_in(body: dict[str, object], raw: bytes) -> bytes:
    """Return the request's text with `raw` in the marked place."""
    return json.dumps(body).encode().replace(f'"{MARK}"'.encode(), raw)


async def refuse_everywhere(gate, both: Both) -> None:
    places = Places()
    for pointer, (path, body) in places.all.items():
        for raw in [*(text.encode() for text in HOSTILE), *NOT_UTF8]:
            shown = f"{pointer}: {raw[:60]!r}"
            (status, told), other = await both.post(path, put_in(body, raw), "hostile")
            gate.tried(1, "hostile values")
            gate.lost((status, told) != other, f"{shown}: {(status, told)} and {other}")
            gate.lost(status != 400 or told["code"] != "invalid-json", f"{shown}: {status} {told}")
            if status == 400 and raw not in (b'"', b"[" * 100_000):  # those swallow what follows
                place = pointer if pointer != "/facts/f" else "/filter/f"
                gate.lost(
                    not str(told.get("pointer")).startswith(place), f"{shown}: at {told.get('pointer')}"
                )
            if gate.bug is not None and gate.losses:
                return


async def take_everywhere(gate, both: Both, values: list[bytes]) -> None:
    """Send each value as the output of a step to both, and read it back from both."""
    for raw in values:
        places = Places()
        start = json.dumps(places.start()).encode()
        path, body = places.all["/groups/0/writes/0/output"]
        for status, told in await both.post("/v1/executions", start, "start"):
            assert status == 200, told
        answers = await both.post(path, put_in(body, raw), "take")
        back = []
        for client, (status, told) in zip(both.clients, answers, strict=True):
            written = status == 200 and told["groups"][0]["results"][0]["problem"] is None
            gate.lost(not written, f"{raw[:60]!r}: {status} {told}")
            reply = await client.get(f"/v1/executions/{places.execution_id}/steps/value?path=s")
            back.append(reply.json() if reply.status_code == 200 else reply.text)
        gate.tried(1, "hostile values")
        meant = repr(json.loads(raw))
        gate.lost(
            [repr(each.get("output", each) if isinstance(each, dict) else each) for each in back]
            != [meant] * 2,
            f"{raw[:80]!r}: {back}"[:400],
        )


def draw_value(chance: random.Random, depth: int = 0) -> object:
    """Return a JSON value that every reader should understand alike, near the limits of numbers and texts."""
    kind = chance.randrange(4 if depth > 6 else 7)
    if kind == 0:
        return chance.choice(
            (None, True, False, 0, -0.0, 2**63 - 1, -(2**63), 5e-324, 1.7976931348623157e308)
        )
    if kind == 1:
        return chance.uniform(-1, 1) * 10.0 ** chance.randrange(-300, 300)
    if kind == 2:
        return chance.getrandbits(63) * chance.choice((1, -1))
    if kind == 3:
        return "".join(
            chance.choice('aé😀\u2028\x7f"\\/\t\u0001{}[],:\ufeff\uffff') for _ in range(chance.randrange(9))
        )
    if kind == 4:
        return {str(draw_value(chance, 9)): draw_value(chance, depth + 1) for _ in range(chance.randrange(4))}
    return [draw_value(chance, depth + 1) for _ in range(chance.randrange(4))]


@pytest.mark.gate(
    promise="JSON that databases or readers disagree about is refused with its place, the same on SQLite and"
    " PostgreSQL; what is within the limits comes back equal from both.",
    fault="NaN, 1e400, large integers, depth, keys, duplicates, lone surrogates, NUL, bad UTF-8, bad syntax.",
)
async def test_hostile_json_is_refused_alike_and_odd_json_kept_alike(gate, tmp_path, postgres_url):
    async with open_both(tmp_path, postgres_url) as both:
        await refuse_everywhere(gate, both)
        drawn = [draw_value(gate.random) for _ in range(gate.rounds(short=100, long=20_000))]
        odd = [json.dumps(value, ensure_ascii=gate.random.random() < 0.5).encode() for value in drawn]
        await take_everywhere(gate, both, [*(text.encode() for text in TAKEN), *odd])


@pytest.mark.planted(
    bug="The standard library's reader", gate="test_hostile_json_is_refused_alike_and_odd_json_kept_alike"
)
async def test_the_gate_catches_a_reader_that_takes_everything(trial, tmp_path, postgres_url, monkeypatch):
    plant("any-json", monkeypatch)
    async with open_both(tmp_path, postgres_url) as both:
        await refuse_everywhere(trial, both)
