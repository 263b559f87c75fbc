"""What has happened over time, at the command line: empty, as bars and tables, as CSV and JSON."""

import csv
import io

from omium.cli import bars


def test_a_window_without_anything_says_what_would_be_there(cli, running_server):
    assert "Nothing ended and nothing was used" in cli("analytics", "usage").err
    assert "No failure" in cli("analytics", "errors").err
    assert "Nothing went on from its records" in cli("analytics", "savings").err
    assert cli("analytics", "usage", "--csv").out.strip().startswith("start,value,executions")
    assert cli("analytics", "errors", "--json").json["groups"] == []
    assert cli("analytics", "usage", "--since", "1h", "--until", "2h").code == 2
    assert cli("analytics", "usage", "--json", "--csv").code == 2
    assert cli("analytics", "usage", "--since", "90d", "--bucket", "hour").code == 1


def test_what_ran_and_failed_and_was_saved_is_shown(cli):
    assert cli("run", "my_agents.py:report", "-i", "topic=tea").code == 0
    assert cli("run", "my_agents.py:report", "-i", "topic=bad").code == 1
    done = cli("replay", "last", "--edit-output", 'pla={"topic": "good", "sections": []}', "--here")
    assert done.code == 0, done.err

    usage = cli("analytics", "usage", "--by", "workflow")
    assert (usage.code, usage.err) == (0, "")
    assert "█" in usage.out
    assert "3, 66.7% succeeded, 1 failed" in usage.out
    rows = list(csv.DictReader(io.StringIO(cli("analytics", "usage", "--by", "workflow", "--csv").out)))
    assert {row["value"] for row in rows} == {"report"}
    errors = cli("analytics", "errors", "--by", "type")
    assert "ValueError" in errors.out
    assert "write" in cli("analytics", "errors", "--by", "step", "--since", "12h").out
    savings = cli("analytics", "savings", "--json").json
    assert savings["total"]["steps"] == 1  # the edited plan
    assert "replay" in cli("analytics", "savings").out


def test_columns_are_as_high_as_their_numbers_and_small_ones_are_seen():
    assert bars.columns([0, 1, 2, 4], rows=1) == [" ▂▄█"]
    assert bars.columns([1_000, 1], rows=2) == ["█", "█▁"]
    assert bars.columns([0, 0]) == bars.columns([]) == []
    assert (bars.line(1, 2, width=2), bars.line(0, 2), bars.line(1e-9, 2)) == ("█", "", "▏")


def test_two_executions_are_compared_step_by_step(cli):
    for topic in ("tea", "tea", "coffee"):
        assert cli("run", "my_agents.py:report", "-i", f"topic={topic}").code == 0
    ids = [each["id"] for each in reversed(cli("executions", "list", "--json").json)]

    same = cli("executions", "diff", ids[0], ids[1])
    other = cli("executions", "diff", ids[0], ids[2], "--json").json

    assert "nothing as a whole" in same.out
    assert "0 steps differ of 3" in same.err
    assert other["differs"] == {"workflow": False, "status": False, "input": True, "output": True}
    assert [step["difference"] for step in other["steps"]] == ["another input; another output"] * 3
    assert all(len(step["took_us"]) == 2 for step in other["steps"])
    assert [side["steps"] for side in other["totals"]] == [3, 3]
