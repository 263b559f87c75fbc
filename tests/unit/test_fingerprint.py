"""The same failure has the same fingerprint in every run; another failure has another."""

import time

import pytest

from omium.fingerprint import describe_exception, fingerprint, normalise_message

ERROR = {
    "type": "ValueError",
    "message": "row 17 of /tmp/a1/b.csv is bad",
    "frames": [
        {"module": "json.decoder", "function": "decode", "line": 1, "own": False},
        {"module": "agents", "function": "outer", "line": 10, "own": True},
        {"module": "agents", "function": "load", "line": 20, "own": True},
    ],
}


def changed(**parts):
    return {**ERROR, **parts}


def frames(*names):
    return [{"module": "agents", "function": name, "line": 1, "own": True} for name in names]


@pytest.mark.parametrize(
    "same",
    [
        changed(message="row 4711 of /tmp/zz/other.csv is bad"),
        changed(frames=[*ERROR["frames"], {"module": "httpx", "function": "send", "line": 5, "own": False}]),
        changed(frames=[{**frame, "line": 999, "file": "elsewhere.py"} for frame in ERROR["frames"]]),
        changed(traceback="something else", notes=["other"], retry_after_s=5),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(same):
    assert fingerprint("load", same) == fingerprint("load", ERROR)


@pytest.mark.parametrize(
    ("step", "other"),
    [
        ("save", ERROR),
        ("load", changed(type="KeyError")),
        ("load", changed(message="row 17 of /tmp/a1/b.csv is good")),
        ("load", changed(code="E42")),
        ("load", changed(frames=frames("outer", "save"))),
        ("load", changed(frames=[])),
    ],
)
def test_another_failure_has_another_fingerprint(step, other):
    assert fingerprint(step, other) != fingerprint("load", ERROR)


def test_only_the_innermost_frames_of_the_users_code_count():
    deep, deeper = frames("a", "b", "c", "d"), frames("x", "y", "b", "c", "d")
    assert fingerprint("s", changed(frames=deep)) == fingerprint("s", changed(frames=deeper))


def test_an_exception_and_its_json_have_the_same_fingerprint():
    try:
        int("twelve")
    except ValueError as error:
        info = describe_exception(error)
    assert fingerprint("s", info) == fingerprint("s", info.to_json())
    assert fingerprint("s", {"type": 5, "frames": "x", "message": None}) == fingerprint("s", {})


@pytest.mark.parametrize(
    ("message", "normal"),
    [
        ("took 12.5 s, limit 10", "took <n> s, limit <n>"),
        ("at 2026-11-22T10:00:00.123Z and 2026-11-22", "at <time> and <time>"),
        ("execution ex_01k9aaaaaaaaaaaaaaaaaaaaaa", "execution <id>"),
        ("id 123e4567-e89b-12d3-a456-426614174000!", "id <id>!"),
        ("object at 0x7f3a9c0b", "object at <hex>"),
        ("commit 9fceb02d0ae5", "commit <hex>"),
        ("no such key: 'topic'", "no such key: <text>"),
        ('invalid literal: "twelve"', "invalid literal: <text>"),
        ("I can't and won't do that", "I can't and won't do that"),
        ("[Errno 2] No such file: /home/anna/x.csv", "[Errno <n>] No such file: <path>"),
        ("C:\\Users\\anna\\x.csv missing", "<path> missing"),
        ("GET https://api.example.com/v1/models/5 failed", "GET https://api.example.com<path> failed"),
        ("no answer from redis://127.0.0.1:54321", "no answer from redis://127.0.0.1<path>"),
        ("HTTP 429 from gpt4o", "HTTP <n> from gpt4o"),
        ("a\n  b\tc ", "a b c"),
        ("face the facade", "face the facade"),
        ("", ""),
    ],
    ids=lambda text: text[:20].replace("0x", "address "),
)
def test_a_message_is_freed_of_what_varies(message, normal):
    assert normalise_message(message) == normal


@pytest.mark.parametrize(
    "seed",
    ["'", '"', "/", "/a", "a/", "~", "0", "a", "0x", "1.", "'a ", "a1", "- ", "://", "12345678-", "ex_"],
)
def test_a_hostile_message_takes_no_time(seed):
    started_s = time.process_time()
    normalise_message(seed * (1_000_000 // len(seed)))
    assert time.process_time() - started_s < 0.5  # only the first 2 KiB are looked at
