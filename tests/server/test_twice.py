"""The app of the tests runs every transaction twice, so that no work may remember its first run."""


async def test_a_work_that_remembers_is_found_by_any_test_of_the_app(app_client):
    names = iter(["first", "second"])

    assert await app_client.server.db.write(lambda _tx: next(names)) == "second"
