"""Making a bundle: whole or not there, bounded in size and memory, whatever happens on the way."""

import asyncio
import stat
from collections import Counter

import pytest

from omium.bundle import BundleClient, SyncBundleClient, limits, open_bundle, write_bundle
from omium.errors import BundleError, NotFound, NotInBundle
from tests.bundle.recorded import new_execution_id, record, step
from tests.serverfixture import open_app_client, test_settings


async def make(recorded, path, **chosen):
    async with recorded.client() as client:
        return await write_bundle(client, recorded.id, path, **chosen)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "data")


async def test_a_bundle_is_its_makers_alone_and_nothing_is_left_beside_it(recorded, tmp_path):
    made = await make(recorded, tmp_path / "made.omium")

    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert made.size_bytes == made.path.stat().st_size
    assert names(tmp_path) == ["made.omium"]


async def test_what_stands_there_is_not_overwritten_unless_it_may_be(recorded, tmp_path):
    path = tmp_path / "made.omium"
    path.write_text("precious")

    with pytest.raises(BundleError, match="exists already"):
        await make(recorded, path)
    assert path.read_text() == "precious"

    await make(recorded, path, overwrite=True)
    with open_bundle(path) as bundle:
        assert bundle.manifest.execution_id == recorded.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_came_there_meanwhile_is_not_overwritten(recorded, tmp_path):
    path = tmp_path / "made.omium"

    with pytest.raises(BundleError, match="exists by now"):
        await make(recorded, path, progress=lambda _: path.write_text("precious"))

    assert path.read_text() == "precious"
    assert names(tmp_path) == ["made.omium"]


async def test_cancelled_on_the_way_leaves_nothing(recorded, tmp_path):
    async def cancel_at(seen):
        told = []

        def progress(each):
            told.append(each)
            if len(told) == seen:
                task.cancel()

        task = asyncio.ensure_future(make(recorded, tmp_path / "made.omium", progress=progress))
        with pytest.raises(asyncio.CancelledError):
            await task

    for seen in (1, 3, 9):
        await cancel_at(seen)
        assert names(tmp_path) == []


async def test_an_unknown_execution_leaves_nothing(recorded, tmp_path):
    async with recorded.client() as client:
        with pytest.raises(NotFound):
            await write_bundle(client, "ex_unknown", tmp_path / "made.omium")

    assert names(tmp_path) == []


async def test_a_place_where_no_file_can_be_is_told_before_anything_is_asked(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "made.omium"):
        with pytest.raises(BundleError):
            await write_bundle(None, "ex_any", path)


async def test_progress_names_what_is_read(recorded, tmp_path):
    told = []
    await make(recorded, tmp_path / "made.omium", progress=told.append)

    assert {each.execution_id for each in told} == {recorded.id}
    assert {"steps", "events", "logs", "output outer/long"} <= {each.what for each in told}
    assert [each.size_bytes for each in told] == sorted(each.size_bytes for each in told)


async def test_a_value_without_room_is_left_out_and_the_rest_is_there(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "RESERVED_BYTES", limits.FILE_BYTES_MAX - 20_000)
    made = await make(recorded, tmp_path / "made.omium")

    assert {each.what.split()[0] for each in made.manifest.left_out} == {"output", "state"}
    with SyncBundleClient(open_bundle(made.path)) as client:
        assert len(client.get_execution(recorded.id).steps) > 5
        with pytest.raises(NotInBundle, match="left out"):
            client.get_step_value(recorded.id, path="outer/long")


async def test_lists_without_room_are_an_error_and_no_bundle(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "UNPACKED_BYTES_MAX", 1_000)

    with pytest.raises(BundleError, match="more than one bundle holds"):
        await make(recorded, tmp_path / "made.omium")
    assert names(tmp_path) == []


async def test_an_execution_that_goes_on_meanwhile_is_marked(recorded, tmp_path):
    running = new_execution_id()
    await recorded.start(running)
    await recorded.write(running, step("one", output=1))
    written = []

    async def go_on():
        await recorded.write(running, step("two", output=2))

    def progress(each):
        if each.what == "steps" and not written:
            written.append(asyncio.ensure_future(go_on()))

    async with recorded.client() as client:
        moved = await write_bundle(client, running, tmp_path / "moved.omium", progress)
        await asyncio.gather(*written)
        still = await write_bundle(client, running, tmp_path / "still.omium")

    assert [held.settled for held in moved.manifest.executions] == [False]
    assert [held.settled for held in still.manifest.executions] == [True]


async def test_long_lists_are_read_by_parts_and_without_gaps(tmp_path):
    async with open_app_client(test_settings(tmp_path)) as app:
        recorded = await record(app, steps=450)
        made = await make(recorded, tmp_path / "made.omium")
        async with recorded.client() as client:
            expected = [each async for each in client.each(client.list_steps, recorded.id, limit=500)]

    parts = Counter(part.name.rpartition("/")[0] for part in made.manifest.parts)
    assert parts["e0001/steps"] == 3
    async with BundleClient(open_bundle(made.path)) as bundle:
        for limit in (7, 199, 500):
            found = [each async for each in bundle.each(bundle.list_steps, recorded.id, limit=limit)]
            assert found == expected
        detail = await bundle.get_execution(recorded.id)
        assert detail.steps == expected[:100]
        rest = bundle.list_steps(recorded.id, limit=500, after=detail.steps_next)
        assert (await rest).items == expected[100:]
