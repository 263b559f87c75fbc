"""What a person does when a run has died or failed: against a real server, with real processes."""

import signal

import pytest

from tests.cli.conftest import wait_for_file


def wait_for_line(process, text):
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended without saying {text!r}")


def test_a_killed_run_is_resumed_here_and_keeps_its_steps(cli):
    killed = cli.python("import my_agents; my_agents.report('durability')", DIE="1")
    assert killed.code == -signal.SIGKILL

    done = cli("resume", "last", "--here")

    assert done.code == 0, done.err
    assert done.out == "report on durability: found durability\n"  # no "planning": the step was not run again
    detail = cli("executions", "show", "last", "--json").json
    assert detail["status"] == "completed"
    assert [step["key"] for step in detail["steps"]] == ["plan", "research", "write"]


def test_a_resumed_run_that_fails_shows_its_own_error_alone(cli):
    assert cli.python("import my_agents; my_agents.report('bad')", DIE="1").code == -signal.SIGKILL

    failed = cli("resume", "last", "--here")

    assert failed.code == 1
    assert "ValueError: nonsense about bad" in failed.err
    assert "NothingToClaim" not in failed.err  # how it was taken up is no part of why it failed
    assert "During handling" not in failed.err


def test_a_killed_run_is_finished_by_a_worker_that_then_drains(cli):
    cli.python("import my_agents; my_agents.report('durability')", DIE="1")
    worker = cli.start("worker", "my_agents.py")
    wait_for_line(worker, "Serving order, report")

    # The killed process is a local driver: the person says who goes on. While the row still says running,
    # the run is taken over by this host only; --here proves that the process is gone.
    assert cli("resume", "last", "--here").code == 0
    waited = cli("run", "report", "-i", "topic=again")
    assert (waited.code, waited.out) == (0, "report on again: found again\n")
    assert "waiting for it" in waited.err
    assert len(cli("workers", "--json").json) == 1

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    assert cli("workers", "--json").json == []
    assert cli("workers", "--all", "--json").json[0]["stopped_at_us"] is not None


def test_a_worker_ends_what_runs_before_it_stops(cli, tmp_path):
    gate = tmp_path / "gate"
    worker = cli.start("worker", "my_agents.py", HANG_UNTIL=str(gate))
    wait_for_line(worker, "Serving")
    started = cli("run", "report", "-i", "topic=slow", "--no-wait")
    assert started.out.startswith("ex_")
    wait_for_file(tmp_path / "gate.reached")

    worker.send_signal(signal.SIGTERM)
    wait_for_line(worker, "Stopping")
    gate.touch()

    assert worker.wait(timeout=60) == 0
    assert cli("executions", "show", started.out.strip(), "--json").json["status"] == "completed"


def test_a_failure_is_found_patched_and_replayed(cli):
    failed = cli("run", "my_agents.py:report", "-i", "topic=bad")
    assert failed.code == 1
    assert "ValueError: nonsense about bad" in failed.err
    assert "omium/sdk" not in failed.err  # the frames of the user, not ours

    (failure,) = cli("failures", "list", "--json").json
    assert (failure["status"], failure["step"], failure["error_type"]) == ("open", "write", "ValueError")
    assert failure["first_seen"].endswith("+00:00")
    shown = cli("failures", "show", failure["id"][-6:])
    assert "nonsense about bad" in shown.out
    assert "Retry" in shown.out

    plan = cli("replay", "last", "--from", "wri", "--plan", "--json").json
    assert [step["disposition"] for step in plan["steps"]] == ["reuse", "reuse", "rerun"]

    done = cli("replay", "last", "--edit-output", 'pla={"topic": "good", "sections": []}', "--here")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "report on good: found good"
    assert cli("executions", "show", failure["execution_id"], "--json").json["replays"]
    assert cli("failures", "list", "--json").json == []
    assert [each["id"] for each in cli("failures", "list", "--all", "--json").json] == [failure["id"]]


def test_an_effect_of_unknown_outcome_is_decided_and_the_run_goes_on(cli):
    cli.python("import my_agents; my_agents.order(5)", DIE="1")

    refused = cli("resume", "last", "--here")
    assert refused.code == 1
    order = cli.newest("order")
    assert f"omium executions effects {order}" in refused.err
    assert cli("executions", "effects", "last", "--json").json[0]["state"] == "unknown"
    assert "Did charge happen?" in cli("executions", "effects", "last").err
    shown = cli("executions", "show", "last")
    assert "Effects without an answer" in shown.out
    assert "? unknown" in shown.out
    assert f"omium decide {order} STEP" in shown.err

    wrong = cli("decide", "last", "charge", "redo", "--output", "1")
    assert wrong.code == 2
    decided = cli("decide", "last", "cha", "confirm", "--output", '{"charge_id": "ch_9"}', "--json").json
    assert (decided["state"], decided["output"]) == ("done", {"charge_id": "ch_9"})
    shown = cli("executions", "show", "last")
    assert [line.split()[:3] for line in shown.out.splitlines() if "charge " in line] == [
        ["charge", "✓", "done"]
    ]
    assert f"Go on: omium resume {order}" in shown.err
    assert "omium decide" not in shown.err
    assert cli("resume", "last", "--here").out == "sent\n"
    done = cli("executions", "show", "last")
    assert "(effect done)" in done.out
    assert "Effects without an answer" not in done.out


def test_a_rollback_is_planned_asked_for_and_compensated(cli):
    cli.python("import my_agents; my_agents.order(5)", FAIL="1")

    assert cli("rollback", "last", "--to-step", "charge", "--plan", "--json").json["compensations"] == [
        "charge"
    ]
    assert cli("rollback", "last").code == 2
    unasked = cli("rollback", "last", "--to-step", "charge")
    assert unasked.code == 2
    assert "--yes" in unasked.err
    back = cli("rollback", "last", "--to-step", "charge", "--yes")
    assert back.code == 0, back.err
    assert cli("executions", "compensations", "last", "--json").json[0]["status"] == "pending"

    done = cli("resume", "last", "--here")
    assert done.code == 0, done.err
    assert "refunded {'charge_id': 'ch_1'}" in done.out
    assert cli("executions", "compensations", "last", "--json").json[0]["status"] == "completed"


def test_a_failure_is_rolled_back_from_the_inbox_to_before_its_step(cli):
    for _ in range(2):
        cli.python("import my_agents; my_agents.order(5)", FAIL="1")
    (failure,) = cli("failures", "list", "--json").json

    planned = cli("failures", "rollback", "last", "--plan")
    assert planned.code == 0, planned.err
    assert "before the step mail" in planned.out
    assert "1 other execution of this failure stays open" in planned.err
    assert cli("failures", "rollback", "last", "--to-step", "charge", "--plan", "--json").json[
        "compensations"
    ] == ["charge"]
    unasked = cli("failures", "rollback", "last")
    assert unasked.code == 2
    assert "--yes" in unasked.err

    done = cli("failures", "rollback", failure["id"], "--yes", "--json").json
    assert done["execution"]["id"] == failure["execution_id"]
    assert (done["execution"]["status"], done["execution"]["reason"]) == ("paused", "rollback")
    assert done["plan"]["superseded_steps"] == ["mail"]
    older = cli("failures", "rollback", failure["id"], "--to-step", "charge", "--yes")
    assert older.code == 0, older.err  # now it is the newest that is open
    assert failure["execution_id"] not in older.out + older.err
    nothing = cli("failures", "rollback", failure["id"], "--yes")
    assert nothing.code == 2
    assert "rolled back: nothing of it is open" in nothing.err
    assert cli("resume", failure["execution_id"], "--here").out == "sent\n"


def test_what_failed_outside_a_step_goes_back_to_its_newest_checkpoint_or_asks(cli, tmp_path):
    (tmp_path / "bare.py").write_text(
        "import sys, omium\n"
        "@omium.workflow\n"
        "def bare(saves):\n"
        "    if saves:\n"
        "        omium.checkpoint('counted', 1)\n"
        "    raise ValueError('no step')\n"
    )
    cli("run", "bare.py:bare", "-i", "saves=false")
    asked = cli("failures", "rollback", "last", "--yes")
    assert asked.code == 2
    assert "--to-checkpoint" in asked.err
    cli("run", "bare.py:bare", "-i", "saves=true")
    planned = cli("failures", "rollback", "last", "--plan")
    assert "the checkpoint counted" in planned.out, planned.err
    older = cli("executions", "list", "--json").json[1]["id"]
    assert cli("failures", "rollback", "last", "--execution", older, "--plan", "--to-seq", "1").code == 0
    wrong = cli("failures", "rollback", "last", "--execution", "ex_" + "0" * 26, "--plan")
    assert wrong.code == 2
    assert "has no open failure" in wrong.err


def test_a_compensation_that_failed_is_not_rolled_back_but_tried_again_or_left_out(cli, tmp_path):
    source = (tmp_path / "my_agents.py").read_text()
    (tmp_path / "my_agents.py").write_text(
        source.replace('print("refunded", output)', 'raise OSError("no bank")')
    )
    cli.python("import my_agents; my_agents.order(5)", FAIL="1")
    assert cli("failures", "rollback", "last", "--to-step", "charge", "--yes").code == 0
    cli("resume", "last", "--here")

    refused = cli("failures", "rollback", "last", "--yes")
    assert refused.code == 2, refused.out
    assert "--skip-compensations" in refused.err


def test_compensations_are_skipped_with_a_reason_only(cli):
    cli.python("import my_agents; my_agents.order(5)", FAIL="1")
    cli("rollback", "last", "--to-step", "charge", "--yes")

    assert cli("rollback", "last", "--skip-compensations", "--yes").code == 2
    assert cli("rollback", "last", "--skip-compensations", "--yes", "--reason", "by hand").code == 0
    assert cli("executions", "compensations", "last", "--json").json[0]["status"] == "skipped"


def test_what_is_queued_is_paused_resumed_and_cancelled(cli):
    cli("run", "report", "-i", "topic=later", "--no-wait")
    assert "No worker serves it" in cli("executions", "show", "last").err

    assert cli("pause", "last", "--json").json["status"] == "paused"
    assert "No worker serves report" in cli("resume", "last").err  # nobody can be asked
    assert cli("cancel", "last", "--json").json["status"] == "cancelled"
    again = cli("cancel", "last")
    assert again.code in (0, 1)
    assert "Traceback" not in again.err


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_events_are_shown_to_the_end(cli, follow):
    cli.python("import my_agents; my_agents.report('x')")

    lines = cli("executions", "events", "last", *follow).out.splitlines()
    assert "execution.started" in lines[0]
    assert "execution.completed" in lines[-1]
    assert cli("executions", "events", "last", "--after", "1", *follow).out.splitlines() == lines[1:]


def test_logs_are_in_the_order_of_time_and_of_one_step_if_asked(cli):
    cli.python("import my_agents; my_agents.report('x')")

    lines = cli("logs", "last", "--json").json
    assert lines[0]["text"] == "planning x"
    assert [line["at_us"] for line in lines] == sorted(line["at_us"] for line in lines)
    assert {line["key"] for line in cli("logs", "last", "--step", "res", "--json").json} == {"research"}
    assert cli("logs", "last", "--step", "nothing").code == 2


def test_two_executions_are_compared(cli):
    cli.python("import my_agents; my_agents.report('x'); my_agents.report('y')")
    second, first = (each["id"] for each in cli("executions", "list", "--json").json)

    steps = cli("executions", "diff", first, second, "--json").json["steps"]

    assert [step["difference"] for step in steps] == ["another input; another output"] * 3


def test_what_a_step_returned_is_printed_whole(cli):
    cli.python("import my_agents; my_agents.report('x')")

    assert cli("executions", "output", "last", "res").out == "found x\n"
    assert cli("executions", "output", "last", "plan", "--json").json == {
        "topic": "x",
        "sections": ["a", "b"],
    }


def test_a_breaker_is_opened_by_hand_listed_and_reset(cli):
    assert "No circuit breakers" in cli("breakers", "list").err
    assert cli("breakers", "open", "openai").code == 2
    assert cli("breakers", "open", "openai", "--yes", "--json").json["state"] == "open"
    assert cli("breakers", "list", "--json").json[0]["name"] == "openai"
    assert cli("breakers", "reset", "openai", "--json").json["state"] == "closed"


def test_spending_through_a_breaker_is_limited_and_shown(cli):
    limited = cli("breakers", "limit", "llm", "--tokens", "2000", "--credits", "0.5")
    assert limited.err == "llm lets through at most 2,000 tokens and 0.5 credits a minute; then calls wait.\n"
    assert "0 of 2,000 tokens, 0 of 0.5 credits" in cli("breakers", "list").out
    assert cli("breakers", "limit", "llm", "--none", "--json").json["tokens_per_minute"] is None

    for wrong in ([], ["--none", "--tokens", "1"], ["--credits", "much"]):
        refused = cli("breakers", "limit", "llm", *wrong)
        assert (refused.code, refused.out) == (2, "")
