"""What scripts rely on: with --json one document on stdout, however it ends and whatever the code prints."""

import pytest

AWAY = {"OMIUM_BASE_URL": "http://127.0.0.1:1"}
PAUSING = """
import omium

@omium.step
def first():
    with omium.Client() as client:
        client.pause_execution(omium.execution_id())

@omium.step
def second():
    return 2

@omium.workflow
def stops():
    first()
    return second()

@omium.workflow(durability="relaxed")
def relaxed(fails):
    print("on the way")
    if fails:
        raise ValueError("no")
    return {"n": 1}
"""


@pytest.fixture
def pausing(tmp_path):
    (tmp_path / "pausing.py").write_text(PAUSING)
    return "pausing.py"


def test_a_run_from_a_file_prints_the_execution_and_the_code_keeps_its_words_to_itself(cli):
    done = cli("run", "my_agents.py:report", "-i", "topic=tea", "--json")

    assert done.code == 0, done.err
    assert done.json["id"].startswith("ex_")
    assert (done.json["status"], done.json["output"]) == ("completed", "report on tea: found tea")
    assert done.json["error"] is None
    assert "planning tea" in done.err
    assert cli("executions", "show", done.json["id"], "--json").json["output"] == done.json["output"]


def test_a_run_that_fails_prints_its_error_and_ends_with_one(cli):
    failed = cli("run", "my_agents.py:report", "-i", "topic=bad", "--json")

    assert failed.code == 1
    assert (failed.json["status"], failed.json["output"]) == ("failed", None)
    assert (failed.json["error"]["type"], failed.json["error"]["message"]) == (
        "ValueError",
        "nonsense about bad",
    )
    assert "ValueError: nonsense about bad" in failed.err


def test_a_run_that_is_paused_prints_why_and_ends_with_one(cli, pausing):
    paused = cli("run", f"{pausing}:stops", "--json")

    assert paused.code == 1
    assert (paused.json["status"], paused.json["reason"]) == ("paused", "operator")
    assert f"omium resume {paused.json['id']}" in paused.err
    assert cli("resume", paused.json["id"], "--here", "--json").json["output"] == 2


def test_a_run_of_which_the_server_hears_later_says_how_it_ended_here(cli, pausing):
    done = cli("run", f"{pausing}:relaxed", "-i", "fails=false", "--json", **AWAY)
    assert (done.code, done.json["status"], done.json["output"]) == (0, "completed", {"n": 1}), done.err

    failed = cli("run", f"{pausing}:relaxed", "-i", "fails=true", "--json", **AWAY)
    assert (failed.code, failed.json["status"]) == (1, "failed"), failed.err
    assert failed.json["error"] == {"type": "ValueError", "message": "no"}
    assert failed.json["id"] != done.json["id"]


def test_what_could_not_begin_prints_nothing_on_stdout(cli):
    refused = cli("run", "my_agents.py:report", "-i", "topic=tea", "--json", **AWAY)

    assert (refused.code, refused.out) == (1, "")
    assert "omium doctor" in refused.err or "omium serve" in refused.err


def test_a_worker_that_runs_one_execution_prints_it(cli):
    queued = cli("run", "report", "-i", "topic=tea", "--no-wait", "--json").json
    assert (queued["status"], queued["output"]) == ("queued", None)

    done = cli("worker", "my_agents.py", "--once", "--json")

    assert done.code == 0, done.err
    assert (done.json["id"], done.json["status"]) == (queued["id"], "completed")
    waited = cli("run", "report", "--idempotency-key", "k", "-i", "topic=b", "--no-wait", "--json").json
    assert (
        cli("worker", "my_agents.py", "--once", "--execution", waited["id"], "--json")
        .json["output"]
        .startswith("report on b")
    )


def test_the_fields_that_scripts_rely_on_are_there(cli):
    cli("run", "my_agents.py:report", "-i", "topic=tea")
    cli("run", "my_agents.py:report", "-i", "topic=bad")

    status = cli("status", "--json").json
    assert {"tenant", "environment", "credits", "checklist", "running", "open_failures"} <= status.keys()
    assert (status["open_failures"], status["running"]) == (1, 0)
    assert isinstance(status["checklist"], list)

    shown = cli("executions", "show", cli("executions", "list", "--json").json[1]["id"], "--json").json
    assert {"id", "workflow", "status", "input", "output", "error", "attempt"} <= shown.keys()
    assert {"steps", "checkpoints", "usage", "cost"} <= shown.keys()
    assert {"key", "status", "attempt", "output"} <= shown["steps"][0].keys()
    assert {"id", "name", "seq"} <= shown["checkpoints"][0].keys()
    assert (shown["input"], shown["attempt"]) == ({"topic": "tea"}, 1)
    assert [step["output"] for step in shown["steps"]][1] == "found tea"

    (failure,) = cli("failures", "list", "--json").json
    assert {"id", "status", "error_type", "message", "step", "count"} <= failure.keys()
    assert {"first_seen", "last_seen", "execution_id"} <= failure.keys()
