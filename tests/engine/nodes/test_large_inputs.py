"""What references put together is measured before it is written: many of one value are small in memory."""

from tests.engine.nodes.specs import chain

MANY = 3_000


async def test_a_node_that_names_a_large_value_many_times_fails_and_not_the_node_before_it(nodes):
    document = chain("a", "b")
    document["nodes"][1]["inputs"] = {"x": [{"$from": "nodes.a.output"}] * MANY}
    run = await nodes.start(document)
    await nodes.do("x" * 2_000_000)  # 6 GB, were they written
    assert await nodes.status(run) == ("failed", "error")
    assert (await nodes.engine.events(run))[-1].data["code"] == "payload-too-large"


async def test_an_execution_whose_outputs_name_a_large_value_many_times_fails(nodes):
    run = await nodes.start(chain("a", outputs={"x": [{"$from": "nodes.a.output"}] * MANY}))
    await nodes.do("x" * 2_000_000)
    assert await nodes.status(run) == ("failed", "error")
    assert (await nodes.engine.events(run))[-1].data["code"] == "payload-too-large"
