"""What a bundle answers is what the server answered when it was made."""

import asyncio
import contextlib
import inspect
import zipfile

import pytest

from omium.bundle import BundleClient, SyncBundleClient, open_bundle, write_bundle
from omium.errors import BundleReadOnly, NotFound, NotInBundle
from omium.sdk.async_client import AsyncClient
from omium.sdk.flows import Http
from omium.server.routes import list_endpoints
from tests.bundle.recorded import DIGEST, LONG, SECRET


@pytest.fixture
async def both(recorded, bundle_file):
    """The server's client and the bundle's."""
    async with recorded.client() as server, BundleClient(open_bundle(bundle_file)) as bundle:
        yield server, bundle


async def everything(client, execution_id, limit):
    """Return all that a client says of an execution."""
    lists = {
        name: [item async for item in client.each(getattr(client, f"list_{name}"), execution_id, limit=limit)]
        for name in ("steps", "attempts", "events", "checkpoints", "logs", "effects", "compensations")
    }
    for name, listed in (
        ("children", client.each(client.list_executions, parent=execution_id, limit=limit)),
        ("replays", client.each(client.list_executions, replay_of=execution_id, limit=limit)),
        ("failures", client.each(client.list_failures, execution=execution_id, limit=limit)),
        ("usage", client.each(client.list_usage, execution_id=execution_id, limit=limit)),
        ("charges", client.each(client.list_credit_history, execution=execution_id, limit=limit)),
        ("all", client.each(client.list_credit_history, execution=execution_id, unfolded=True)),
    ):
        lists[name] = [item async for item in listed]
    for each in lists["failures"]:
        lists[each.id] = await client.get_failure(each.id)
        lists[f"{each.id} times"] = (await client.list_occurrences(each.id)).items
    live = [each.key for each in lists["steps"] if each.superseded_seq is None]
    lists["values"] = [await client.get_step_value(execution_id, path=key) for key in live]
    lists["states"] = [await client.get_checkpoint(execution_id, each.id) for each in lists["checkpoints"]]
    detail = await client.get_execution(execution_id)
    lists["workflow"] = await client.get_workflow(detail.workflow)
    lists["of a step"] = [
        (await client.list_attempts(execution_id, path="write")).items,
        (await client.list_logs(execution_id, path="s0")).items,
    ]
    return lists, detail


@pytest.mark.parametrize("limit", [2, 500])
async def test_a_bundle_answers_what_the_server_answered(both, recorded, limit):
    server, bundle = both
    for execution_id in (recorded.id, *recorded.children):
        expected, detail = await everything(server, execution_id, limit)
        found, known = await everything(bundle, execution_id, limit)

        assert found == expected
        assert known == detail
        assert known.steps
        assert expected["values"]


async def test_the_test_has_one_of_everything(both, recorded):
    lists, detail = await everything(both[0], recorded.id, 500)

    assert [name for name, items in lists.items() if items == [] and name not in MISSING_HERE] == []
    assert LONG in [each.output for each in lists["values"]]
    assert LONG in [each.state for each in lists["states"]]
    assert any(step.output is None and step.output_size_bytes > 10_000 for step in detail.steps)


MISSING_HERE = {"compensations", "charges", "all"}


async def test_a_stored_workflow_is_held_in_the_version_that_was_run_and_what_it_waits_for(
    recorded, tmp_path
):
    document = {"omium": "0", "name": "checked", "nodes": [{"id": "look", "type": "approval"}]}
    await recorded.post("/v1/workflows", {"document": document})
    started = await recorded.post(
        "/v1/executions", {"workflow": "checked", "driver": "worker", "input": {}, "input_digest": DIGEST}
    )
    document["description"] = "another one"
    await recorded.post("/v1/workflows", {"document": document})
    async with recorded.client() as server:
        made = await write_bundle(server, started["id"], tmp_path / "made.omium")
        async with BundleClient(open_bundle(made.path)) as bundle:
            assert await bundle.get_execution(started["id"]) == await server.get_execution(started["id"])
            assert await bundle.get_workflow("checked") == await server.get_workflow("checked")
            held = await bundle.get_workflow_version("checked", 1)
            assert held == await server.get_workflow_version("checked", 1)
            assert await bundle.list_approvals() == await server.list_approvals()
            (row,) = (await bundle.list_workflows(kind="spec")).items
            assert await bundle.get_workflow(row.id) == await server.get_workflow(row.id)
            assert await bundle.get_workflow_version(row.id, 1) == held
            assert row in (await server.list_workflows()).items
            assert (await bundle.list_workflows(tag="nightly")).items == []
            (version,) = (await bundle.list_workflow_versions("checked")).items
            assert version in (await server.list_workflow_versions("checked")).items
            with pytest.raises(NotInBundle):
                await bundle.get_workflow_version("checked", 2)


async def test_what_several_executions_made_is_one_list(both):
    server, bundle = both
    for name in ("list_usage", "list_executions"):
        expected = [each.id async for each in server.each(getattr(server, name))]
        for limit in (1, 2, 50):
            found = [each.id async for each in bundle.each(getattr(bundle, name), limit=limit)]
            assert sorted(found) == sorted(expected)
            assert len(found) >= 3


async def test_no_secret_is_in_a_bundle(recorded, bundle_file):
    """Sealed values are `[sealed]` for everybody who asks; what else looks like a secret is masked here."""
    with zipfile.ZipFile(bundle_file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())

    assert SECRET.encode() not in content
    assert b"[sealed]" in content
    assert recorded.app.api_key.encode() not in content


async def test_the_makers_key_is_masked_wherever_it_stands(recorded, tmp_path):
    # A key of another form than ours, that no pattern knows.
    async with recorded.client() as client:
        client.settings = type(client.settings)(base_url="http://x", api_key="nonsense")
        made = await write_bundle(client, recorded.id, tmp_path / "masked.omium")

    assert made.manifest.redacted > 0
    with SyncBundleClient(open_bundle(made.path)) as client:
        assert "nonsense" not in client.get_execution(recorded.id).model_dump_json()


async def test_two_bundles_of_the_same_execution_have_the_same_content(recorded, tmp_path):
    async with recorded.client() as client:
        one = await write_bundle(client, recorded.id, tmp_path / "one.omium")
        recorded.app.clock.advance(3600)
        other = await write_bundle(client, recorded.id, tmp_path / "other.omium")

    assert one.manifest.content_sha256 == other.manifest.content_sha256
    assert one.manifest.parts == other.manifest.parts


async def test_without_children_they_are_listed_and_not_held(recorded, tmp_path):
    async with recorded.client() as client:
        made = await write_bundle(client, recorded.id, tmp_path / "alone.omium")

    assert [held.id for held in made.manifest.executions] == [recorded.id]
    with SyncBundleClient(open_bundle(made.path)) as client:
        listed = client.list_executions(parent=recorded.id).items
        assert {each.id for each in listed} == set(recorded.children)
        with pytest.raises(NotInBundle, match=recorded.id):
            client.get_execution(recorded.children[0])


async def test_without_values_no_input_output_state_or_line_is_held(recorded, tmp_path):
    async with recorded.client() as client:
        made = await write_bundle(client, recorded.id, tmp_path / "bare.omium", with_values=False)

    with SyncBundleClient(open_bundle(made.path)) as client:
        detail = client.get_execution(recorded.id)
        assert (detail.input, detail.output) == (None, None)
        assert {(step.input, step.output) for step in detail.steps} == {(None, None)}
        assert {saved.state for saved in detail.checkpoints} == {None}
        assert {effect.output for effect in client.list_effects(recorded.id).items} == {None}
        assert detail.error is not None
        for ask in (
            lambda: client.list_logs(recorded.id),
            lambda: client.get_step_value(recorded.id, path="s0"),
            lambda: client.get_checkpoint(recorded.id, detail.checkpoints[0].id),
        ):
            with pytest.raises(NotInBundle, match="left out"):
                ask()
    assert not any("/values/" in part.name for part in made.manifest.parts)


async def test_what_a_key_may_not_read_is_left_out_and_named(recorded, tmp_path):
    class Forgetful(AsyncClient):
        async def list_usage(self, **_):
            raise NotFound("There is no usage here.")

    async with recorded.client() as known:
        client = Forgetful(settings=known.settings, transport=known._transport)
        made = await write_bundle(client, recorded.id, tmp_path / "partly.omium")

    assert [(each.what, each.why) for each in made.manifest.left_out] == [
        ("usage", "There is no usage here.")
    ]
    with SyncBundleClient(open_bundle(made.path)) as client:
        assert client.list_usage(execution_id=recorded.id).items == []
        assert client.get_execution(recorded.id).id == recorded.id


async def test_a_bundle_tells_its_events_live_and_then_nothing_more(both, recorded):
    server, bundle = both
    expected = (await server.list_events(recorded.id, limit=500)).items
    found = []

    async def follow():
        async for event in bundle.stream_execution_events(recorded.id, after=2):
            found.append(event)
            if len(found) == len(expected) - 2:
                return

    await asyncio.wait_for(follow(), 30)
    hints = asyncio.ensure_future(anext(aiter(bundle.stream_hints())))
    done, _ = await asyncio.wait([hints], timeout=0.05)
    hints.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await hints

    assert found == expected[2:]
    assert not done


# The table of endpoints is the truth.

HELD = {
    "list_executions", "get_execution", "list_steps", "get_step_value", "list_attempts", "list_events",
    "list_checkpoints", "get_checkpoint", "list_logs", "list_effects", "list_compensations", "list_failures",
    "get_failure", "list_occurrences", "get_workflow", "get_workflow_version", "list_usage",
    "list_credit_history", "list_approvals", "list_workflows", "list_workflow_versions",
}  # fmt: skip
ENDPOINTS = {endpoint.name: endpoint for endpoint in list_endpoints()}


async def test_every_endpoint_is_answered_or_refused_in_words(both, recorded):
    """What is in a bundle is asked for under the server's own path; a new path makes this fail."""
    _, bundle = both
    failure = (await bundle.list_failures()).items[0].id
    saved = (await bundle.list_checkpoints(recorded.id)).items[0].id
    known = {"execution_id": recorded.id, "failure_id": failure, "checkpoint_id": saved, "name": "report"}

    async def become(name):
        endpoint = ENDPOINTS[name]
        path = endpoint.path
        for each in endpoint.path_parameters:
            path = path.replace(f"{{{each}}}", known.get(each, "1"))
        query = "?path=s0" if name == "get_step_value" else ""
        try:
            answer = await bundle._transport.http(Http(endpoint.method, path + query))
        except (BundleReadOnly, NotInBundle) as error:
            return type(error)
        return bool(answer.body)

    became = {name: await become(name) for name in ENDPOINTS}

    assert {name for name, what in became.items() if what is True} == HELD - {"get_workflow_version"}
    assert {ENDPOINTS[name].method for name, what in became.items() if what is NotInBundle} == {"GET"}
    assert "GET" not in {ENDPOINTS[name].method for name, what in became.items() if what is BundleReadOnly}


ANSWERED = {"limit", "after"}
"""Of every list, beside the filters below."""
FILTERS = {
    "list_executions": {
        "status", "workflow", "environment", "parent", "replay_of", "tag", "business_key", "from_us",
        "until_us",
    },
    "list_attempts": {"path"},
    "list_logs": {"path"},
    "get_step_value": {"path"},
    "list_failures": {"status", "workflow", "environment", "kind", "execution"},
    "list_usage": {"execution_id"},
    "list_workflows": {"kind", "tag", "archived"},
    "list_credit_history": {"kind", "key", "execution", "from_us", "until_us", "unfolded"},
}  # fmt: skip


def test_a_bundle_knows_every_filter_that_the_server_has():
    """A filter that is added to an endpoint must be added to omium/bundle/filters.py, and here."""
    queries = {name: ENDPOINTS[name].query for name in HELD}
    known = {name: set(query.model_fields) - ANSWERED for name, query in queries.items() if query}

    assert {name: filters for name, filters in known.items() if filters} == FILTERS


async def test_filters_take_what_the_servers_take(both):
    server, bundle = both
    for query in (
        {"status": "failed"},
        {"status": "completed"},
        {"workflow": "report"},
        {"workflow": "other"},
        {"environment": "prod"},
        {"tag": "nightly"},
        {"business_key": "order-1"},
        {"from_us": 1, "until_us": 2},
    ):
        expected = (await server.list_executions(**query)).items
        assert (await bundle.list_executions(**query)).items == expected, query
    for query in ({"status": "resolved"}, {"kind": "error"}, {"workflow": "x"}, {}):
        assert (await bundle.list_failures(**query)).items == (await server.list_failures(**query)).items


def public_methods(client):
    return {
        name: member
        for name, member in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }


def test_a_bundles_client_has_the_methods_and_the_arguments_of_a_servers():
    assert public_methods(BundleClient) == public_methods(AsyncClient)
