"""Agents' names, messages and outputs cannot command the terminal of the person who looks at them."""

import re

import pytest

HOSTILE = """
import omium

BAD = "\\x1b]0;owned\\x07\\x1b[31m\\x9b2J\\u202etxt.exe\\u2066 [/x][@click=app.bell]evil[/]\\r\\n\\x7f\\u2028"

@omium.step(key=None)
def speak(text):
    print(text)
    return {"said": text, "long": "L" * 1_000_000}

@omium.step
def fail(text):
    raise RuntimeError(text + "M" * 1_000_000)

@omium.workflow(name="[bold]w[/bold]")
def talk(text):
    omium.checkpoint("[red]c", {"text": text})
    said = speak(text)
    return fail(text) if text.startswith("F") else said

talk(BAD)
try:
    talk("F" + BAD)
except RuntimeError:
    pass
"""
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]")
LOOKS = [
    ["executions", "list"],
    ["executions", "show", "last"],
    ["executions", "events", "last"],
    ["executions", "checkpoints", "last"],
    ["failures", "list"],
    ["failures", "show", "last"],
    ["logs", "last"],
    ["replay", "last", "--plan"],
    ["status"],
]


@pytest.fixture
def hostile_cli(cli, tmp_path):
    script = HOSTILE.replace("@omium.step(key=None)", "@omium.step")
    done = cli.python(script)
    assert done.code == 0, done.err
    return cli


def test_nothing_that_a_terminal_obeys_is_printed(hostile_cli):
    for look in LOOKS:
        for flags in ([], ["--json"]):
            done = hostile_cli(*look, *flags)
            assert done.code == 0, (look, done.err)
            assert OBEYED.findall(done.out + done.err) == [], look
            if not flags:
                assert max(map(len, done.out.splitlines()), default=0) < 20_000, look


def test_json_has_it_all_the_same(hostile_cli):
    shown = hostile_cli("executions", "show", "last", "--json").json

    assert shown["workflow"] == "[bold]w[/bold]"  # markup is text like any other
    assert "\x1b]0;owned\x07" in shown["input"]["text"]
    speak = next(step for step in shown["steps"] if step["key"] == "speak")
    assert len(speak["output"]["long"]) == 1_000_000
