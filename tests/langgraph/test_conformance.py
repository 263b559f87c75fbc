"""OmiumSaver against LangGraph's own conformance suite: all 81 checks, none undetected."""

from langgraph.checkpoint.conformance import checkpointer_test, validate

from omium.adapters.langgraph import OmiumSaver

CHECKS = 81


async def test_the_public_conformance_suite_passes_whole(server):
    @checkpointer_test(name="OmiumSaver")
    async def saver():
        yield OmiumSaver()

    report = await validate(saver)

    failed = {name: result for name, result in report.results.items() if not result.passed}
    assert failed == {}
    assert all(result.detected for result in report.results.values())
    assert sum(result.tests_passed for result in report.results.values()) == CHECKS
