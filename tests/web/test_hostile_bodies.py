"""Requests that are right but for one place: each field in turn holds what no client of ours would send.

Beside test_fuzz.py, whose bodies come from schemas: these name things that exist, so the hostile value gets
past validation wherever that lets it, down to the engine and the database.
"""

import copy
from collections.abc import Iterator

import pytest

from omium.errors import problem_classes
from omium.server.routes import list_endpoints
from omium.server.web.declared import list_problems
from tests.web.walk import ARGUMENTS, Walk

ANSWERING = [endpoint for endpoint in list_endpoints() if endpoint.name in ARGUMENTS and not endpoint.stream]
POSTED = [endpoint for endpoint in ANSWERING if endpoint.body is not None and endpoint.name != "make_backup"]
ADDRESSED = [each for each in ANSWERING if each.path_parameters or each.query]
UNTOUCHED = {"wait_s"}  # a test's clock stands still: a long poll would never end


def nested(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "%00%",
    "\u202e\x1b[2J\x7f",
    "😀" * 300,
    "x" * 5_000,
    "'; DROP TABLE executions; --",
    "../../etc/passwd",
    "ex_" + "0" * 26,
    "-1",
    "9" * 40,
]
VALUES = [
    *TEXTS,
    None,
    True,
    0,
    -1,
    1,
    2**31,
    2**62,
    2**63 - 1,
    -(2**63),
    2**64,
    1e308,
    -0.5,
    [],
    {},
    [None],
    ["", ""],
    {"$omium": "x", "$checkpoint": "cp_1"},
    {"type": "step.completed"},
    nested(40),
    nested(600),
    ["x"] * 3_000,
]


def list_places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value inside of `value`."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, inner in members:
        yield (*at, name)
        yield from list_places(inner, (*at, name))


def replaced(body: object, place: tuple[str | int, ...], value: object) -> object:
    """Return a copy of `body` with `value` in one place."""
    changed = copy.deepcopy(body)
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return changed


def hostile_bodies(endpoint, good: dict[str, object]) -> Iterator[object]:
    places = list(list_places(good))
    places += [(name,) for name in endpoint.body.model_fields if name not in good]
    for place in places:
        if place[-1] not in UNTOUCHED:
            yield from (replaced(good, place, value) for value in VALUES)
    yield good | {"unknown": 1}
    yield from VALUES


@pytest.fixture(scope="module")
def walk():
    made = Walk()
    yield made
    made.close()


def check(endpoint, reply, sent: object) -> None:
    """Assert that an answer is good, or a problem that the endpoint declares, inside of a batch too."""
    told = f"{str(sent)[:600]}\n{reply.text[:1_000]}"
    assert reply.status_code < 500, told
    if reply.status_code >= 400:
        assert reply.json()["code"] in {problem.code for problem in list_problems(endpoint)}, told
    elif endpoint.reply is not None:
        endpoint.reply.model_validate_json(reply.content)
    if endpoint.name == "write" and reply.status_code == 200:
        problems = [each["problem"] for group in reply.json()["groups"] for each in group["results"]]
        for problem in filter(None, problems):
            assert problem["code"] in problem_classes(), told
            assert problem["status"] < 500, told


@pytest.mark.parametrize("endpoint", POSTED, ids=lambda endpoint: endpoint.name)
def test_one_hostile_value_in_a_good_body_is_taken_or_refused_but_breaks_nothing(walk, endpoint):
    asked = ARGUMENTS[endpoint.name](walk.ids)
    path = endpoint.path
    for name, value in zip(endpoint.path_parameters, asked.path, strict=True):
        path = path.replace(f"{{{name}}}", value)

    for body in hostile_bodies(endpoint, asked.body):
        if body is not None:
            check(endpoint, walk.send(walk.owner, endpoint.method, path, body), body)


@pytest.mark.parametrize("endpoint", ADDRESSED, ids=lambda endpoint: endpoint.name)
def test_one_hostile_word_in_an_address_is_unknown_or_refused(walk, endpoint):
    asked = ARGUMENTS[endpoint.name](walk.ids)
    names = [*endpoint.path_parameters, *(endpoint.query.model_fields if endpoint.query else ())]

    for hostile in names:
        for word in TEXTS:
            path, query = endpoint.path, dict(asked.query or {})
            for name, value in zip(endpoint.path_parameters, asked.path, strict=True):
                chosen = word if name == hostile else value
                path = path.replace(f"{{{name}}}", "".join(f"%{byte:02x}" for byte in chosen.encode()))
            if hostile not in endpoint.path_parameters:
                query[hostile] = word
            reply = walk.send(walk.owner, endpoint.method, path, asked.body, query)
            if path.endswith("/") or "//" in path:  # no such address
                assert reply.status_code in (404, 405)
            else:
                check(endpoint, reply, (path, query))
