"""Schedules and triggers at the command line, and a webhook that comes in over HTTP."""

import json
import time

import httpx

from omium.server.outbound.signing import sign


def test_a_schedule_is_made_shown_run_paused_and_deleted(cli):
    assert "No schedule yet" in cli("schedules", "list").err
    made = cli(
        "schedules",
        "create",
        "daily",
        "--workflow",
        "report",
        "--cron",
        "0 9 * * *",
        "-i",
        "topic=tea",
        "--json",
    ).json
    assert (made["status"], len(made["next_at_us"] if "next_at_us" in made else made["next"])) == (
        "active",
        5,
    )
    assert "daily" in cli("schedules", "list").out
    assert cli("schedules", "pause", "daily").code == 0
    assert cli("schedules", "show", "daily", "--json").json["status"] == "paused"
    assert cli("schedules", "resume", made["id"]).code == 0
    started = cli("schedules", "run-now", "daily").out.strip()
    assert cli("executions", "show", started, "--json").json["status"] == "queued"
    assert "started" in cli("schedules", "show", "daily").out
    assert cli("schedules", "delete", "daily", "--yes", "--json").json == {"deleted": made["id"]}
    assert cli("schedules", "show", "daily").code == 2

    wrong = cli("schedules", "create", "x", "--workflow", "report", "--cron", "whenever")
    assert (wrong.code, "five fields" in wrong.err) == (1, True)
    assert (
        cli("schedules", "create", "x", "--workflow", "w", "--cron", "* * * * *", "--missed", "no").code == 2
    )


def test_why_a_schedules_start_was_refused_is_told_without_what_a_terminal_obeys(cli):
    document = {
        "omium": "0",
        "name": "strict",
        "inputs": {"type": "object", "properties": {"topic": {"type": "integer"}}},
        "nodes": [{"id": "a", "type": "function", "parameters": {"handler": "a"}}],
        "edges": [],
    }
    imported = cli("workflows", "import", "-", stdin=json.dumps(document))
    assert imported.code == 0, imported.err
    of = ("--workflow", "strict", "--cron", "0 9 * * *", "-i", "topic=\u202egnp.exe")
    assert cli("schedules", "create", "strict", *of).code == 0
    told = cli("schedules", "run-now", "strict")
    assert (told.code, "gnp.exe" in told.err, "\u202e" in told.err) == (1, True, False)


def test_a_webhook_starts_a_workflow_and_another_one_follows(cli, running_server):
    made = cli("triggers", "create", "in", "--workflow", "report", "--webhook", "--json").json
    assert cli("triggers", "create", "next", "--workflow", "b", "--after", "report").code == 0
    loop = cli("triggers", "create", "loop", "--workflow", "report", "--after", "b")
    assert (loop.code, "itself again" in loop.err) == (1, True)
    body = json.dumps({"topic": "tea"}).encode()
    headers = sign([made["signing_secret"]], "m1", int(time.time()), body)
    url = f"{running_server.base_url}{made['path']}"

    first, again = [httpx.post(url, content=body, headers=headers, timeout=60) for _ in range(2)]
    refused = httpx.post(url, content=b"{}", headers=headers, timeout=60)

    assert first.status_code == again.status_code == 200
    assert first.json()["execution_id"] == again.json()["execution_id"]
    assert (refused.status_code, refused.json()["code"]) == (400, "signature-refused")
    shown = cli("triggers", "show", "in", "--json").json
    assert [fire["outcome"] for fire in shown["fires"]] == ["started"]
    rotated = cli("triggers", "rotate", "in").out
    assert rotated.startswith("whsec_")
    assert cli("triggers", "delete", "in", "--yes", "--json").json == {"deleted": made["id"]}
    assert "report is completed" in cli("triggers", "list").out
    assert cli("triggers", "create", "x", "--workflow", "w").code == 2
