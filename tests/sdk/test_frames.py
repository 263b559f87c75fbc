"""What a person sees of an exception of their own code: their own frames, as if nothing were around them."""

import asyncio
import re
import threading
import traceback

import pytest

import omium
from omium.errors import Unserialisable
from omium.sdk.frames import shorten
from omium.sdk.lease import Lease
from tests.sdk.served import make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]  # fixtures

SCRIPT = """
import asyncio, sys
import omium

@omium.step
def publish(facts):
    try:
        {}["nothing"]
    except KeyError as error:
        raise RuntimeError("there is no printer") from error

@omium.step(timeout_s=50)
def outer(facts):
    return publish(facts)

@omium.workflow
def report(topic):
    return outer([topic])

@omium.step
async def apublish(facts):
    raise RuntimeError("there is no printer")

@omium.step(timeout_s=50)
async def aouter(facts):
    return await apublish(facts)

@omium.workflow
async def areport(topic):
    return await aouter([topic])

def main(how):
    if how == "sync":
        report("Tea")
    if how == "async":
        asyncio.run(areport("Tea"))
    if how == "own loop":
        omium.run_workflow(areport, {"topic": "Tea"})
    if how == "session":
        with omium.start_execution("bare") as execution:
            execution.step("publish", publish, ["x"])

main(sys.argv[1])
"""


def frames_in(printed: str) -> list[tuple[str, str]]:
    return re.findall(r'File "([^"]+)", line \d+, in (\w+|<module>)', printed)


@pytest.mark.parametrize(
    ("how", "chain"),
    [
        ("sync", ["<module>", "main", "report", "outer", "publish"]),
        ("async", ["<module>", "main", "areport", "aouter", "apublish"]),
        ("own loop", ["<module>", "main", "areport", "aouter", "apublish"]),
        ("session", ["<module>", "main", "publish"]),
    ],
)
def test_a_script_that_fails_shows_its_own_frames(server, how, chain):
    script = server.write("boom.py", SCRIPT)

    code, _, err = server.run(script, how)

    assert code == 1
    shown = frames_in(err.split("direct cause of")[-1])
    assert [function for file, function in shown if file == str(script)] == chain, err
    assert not [file for file, _ in shown if "omium" in file], err
    assert err.count("RuntimeError: there is no printer") == 1
    assert "Omium: execution ex_" in err
    assert ("KeyError: 'nothing'" in err) == ("apublish" not in chain)
    assert chain[-1] in server.newest()["error"]["traceback"]


def test_with_the_variable_every_frame_is_shown(server):
    script = server.write("boom.py", SCRIPT)

    assert "omium/sdk/steps.py" in server.run(script, "sync", OMIUM_DEBUG="1")[2]


def shown_functions(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@omium.step
def fails(error):
    raise error


@omium.workflow
def catches(error):
    try:
        fails(error)
    except ValueError as caught:
        seen = shown_functions(caught)
        raise KeyError(*seen) from caught


def test_the_exception_is_the_same_object_with_its_causes_and_notes(server):
    error = ValueError("mine")
    error.add_note("a note of mine")

    with pytest.raises(KeyError) as raised:
        catches(error)

    assert raised.value.__cause__ is error
    assert raised.value.args == ("catches", "fails")
    assert error.__notes__[0] == "a note of mine"
    assert shown_functions(error) == ["catches", "fails"]
    assert shown_functions(raised.value)[1:] == ["catches"]


def test_what_the_sdk_has_to_say_ends_where_the_user_called_it(server):
    @omium.step
    def returns():
        return threading.Lock()

    @omium.workflow
    def unrecordable(value):
        return returns()

    with pytest.raises(Unserialisable) as raised:
        unrecordable(1)
    assert shown_functions(raised.value)[1:] == ["unrecordable"]

    with pytest.raises(TypeError, match="missing a required argument") as missing:
        unrecordable()
    assert shown_functions(missing.value) == ["test_what_the_sdk_has_to_say_ends_where_the_user_called_it"]


async def test_each_of_several_that_fail_beside_each_other_is_shortened(server):
    @omium.step
    async def bad(number):
        raise ValueError(number)

    @omium.workflow
    async def beside():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bad(1))
            tasks.create_task(bad(2))

    with pytest.raises(ExceptionGroup) as raised:
        await beside()

    assert [shown_functions(each) for each in raised.value.exceptions] == [["bad"], ["bad"]]


def test_a_stream_that_breaks_shows_its_body(server):
    @omium.step
    def streams():
        yield 1
        raise ValueError("broken off")

    @omium.workflow
    def reads():
        return list(streams())

    with pytest.raises(ValueError, match="broken off") as raised:
        reads()

    assert shown_functions(raised.value)[1:] == ["reads", "streams"]


def test_where_the_sdk_itself_breaks_nothing_is_left_out():
    with pytest.raises(KeyError) as raised:
        Lease.from_grant({}, sent_us=0)
    before = shown_functions(raised.value)

    shorten(raised.value)

    assert shown_functions(raised.value) == before
    assert "from_grant" in before
