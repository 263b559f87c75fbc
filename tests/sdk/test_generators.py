import pytest

import omium
from omium.errors import StepTimeout, Unserialisable
from omium.jsonvalue import input_record
from tests.sdk.edge import Edge, entered, record


@pytest.fixture
def edge():
    return Edge()


@omium.step
def count(n):
    yield from range(n)


@omium.step(name="acount")
async def count_async(n):
    for x in range(n):
        yield x


def recorded(name, n, chunks):
    return record(name, input_record({"n": n}).digest, chunks)


def test_a_stream_passes_through_and_is_recorded_when_it_is_exhausted(edge):
    with entered(edge.driving()):
        chunks = []
        for chunk in count(3):
            assert edge.writes == []
            chunks.append(chunk)

    assert chunks == [0, 1, 2]
    (write,) = edge.writes
    assert (write["type"], write["output"]) == ("step.completed", [0, 1, 2])


async def test_an_async_stream_does_the_same(edge):
    with entered(edge.driving()):
        assert [chunk async for chunk in count_async(3)] == [0, 1, 2]

    assert edge.writes[0]["output"] == [0, 1, 2]


def test_a_recorded_stream_yields_its_chunks_again(edge):
    with entered(edge.driving([recorded("count", 3, [7, 8])])):
        assert list(count(3)) == [7, 8]

    assert edge.writes == []


async def test_a_recorded_async_stream_yields_its_chunks_again(edge):
    with entered(edge.driving([recorded("acount", 3, [7, 8])])):
        assert [chunk async for chunk in count_async(3)] == [7, 8]


def test_a_stream_that_is_left_early_is_not_recorded(edge):
    with entered(edge.driving()):
        stream = count(3)
        assert next(stream) == 0
        stream.close()

    assert edge.writes == []


async def test_an_async_stream_that_is_left_early_is_not_recorded(edge):
    with entered(edge.driving()):
        stream = count_async(3)
        assert await anext(stream) == 0
        await stream.aclose()

    assert edge.writes == []


def test_a_chunk_is_kept_as_it_was_yielded_whatever_its_reader_does_to_it(edge):
    @omium.step
    def lists():
        yield [1]

    with entered(edge.driving()):
        for chunk in lists():
            chunk.append(2)

    assert edge.writes[0]["output"] == [[1]]


def test_a_stream_is_tried_again_only_as_long_as_nothing_of_it_was_seen(edge):
    tries = []

    @omium.step(retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=0))
    def flaky(fail_after):
        tries.append(1)
        for x in range(3):
            if x == fail_after and len(tries) == 1:
                raise OSError
            yield x

    with entered(edge.driving()):
        assert list(flaky(0)) == [0, 1, 2]
        tries.clear()
        with pytest.raises(OSError):
            list(flaky(1))

    assert len(tries) == 1


def test_an_unrecorded_stream_that_was_seen_is_not_tried_again_either(edge):
    tries = []

    @omium.step(retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=0), record=False)
    def flaky():
        tries.append(1)
        yield 1
        raise OSError

    with entered(edge.driving()), pytest.raises(OSError):
        list(flaky())

    assert len(tries) == 1


def test_steps_inside_a_stream_belong_to_it_and_those_of_its_reader_do_not(edge):
    inner = omium.step(name="inner")(lambda: None)

    @omium.step
    def outer():
        inner()
        yield 1

    with entered(edge.driving()):
        for _ in outer():
            inner()

    assert [write["path"] for write in edge.writes] == ["outer/inner", "inner", "outer"]


def test_a_reader_may_send_and_throw_into_a_stream(edge):
    @omium.step
    def echo():
        got = []
        try:
            got.append((yield 1))
            got.append((yield 2))
        except ValueError:
            yield got

    with entered(edge.driving()):
        stream = echo()
        assert (next(stream), stream.send("a"), stream.throw(ValueError())) == (1, 2, ["a"])
        assert list(stream) == []

    assert edge.writes[0]["output"] == [1, 2, ["a"]]


def test_a_stream_that_takes_too_long_fails(edge):
    @omium.step(timeout_s=0.000_001)
    def slow():
        yield 1

    with entered(edge.driving()), pytest.raises(StepTimeout):
        list(slow())


def test_a_chunk_without_a_json_form_fails_the_stream(edge):
    @omium.step
    def odd():
        yield object()

    with entered(edge.driving()), pytest.raises(Unserialisable, match="Step odd"):
        list(odd())


def test_outside_an_execution_a_stream_just_runs():
    assert list(count(2)) == [0, 1]


def test_a_stream_cannot_be_an_effect():
    with pytest.raises(omium.OmiumError, match="generator"):

        @omium.step(effect=True)
        def stream():
            yield 1
