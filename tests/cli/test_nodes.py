"""Webhooks, approvals and signals at the command line."""

import json

SPEC = {
    "omium": "0",
    "name": "asks",
    "nodes": [
        {"id": "one", "type": "approval", "parameters": {"message": "First?"}},
        {"id": "two", "type": "approval", "parameters": {"message": "Second?"}},
        {"id": "paid", "type": "wait", "parameters": {"signal": "paid"}},
    ],
    "outputs": {
        "one": {"$from": "nodes.one.output.decision"},
        "two": {"$from": "nodes.two.output.decision"},
        "paid": {"$from": "nodes.paid.output"},
    },
}


def test_a_webhook_is_created_tried_rotated_and_deleted(cli, running_server):
    made = cli("webhooks", "create", "https://127.0.0.1:9/x", "--handler", "h", "--json").json
    assert made["signing_secret"].startswith("whsec_")
    tried = cli("webhooks", "test", made["id"])
    assert (tried.code, "127.0.0.1" in tried.err) == (1, True)
    assert "127.0.0.1" in cli("webhooks", "list", "--json").json[0]["note"]
    assert cli("webhooks", "rotate", made["id"]).out.startswith("whsec_")
    assert cli("webhooks", "delete", made["id"], "--yes").code == 0
    assert cli("webhooks", "list", "--json").json == []
    assert "http" in cli("webhooks", "create", "http://hooks.invalid/x", "--handler", "h").err


def test_what_waits_is_decided_and_told_by_name(cli, running_server, tmp_path):
    file = tmp_path / "asks.json"
    file.write_text(json.dumps(SPEC))
    assert cli("workflows", "import", str(file)).code == 0
    execution_id = cli("run", "asks", "--no-wait").out.strip()
    waiting = cli("approvals", "list", "--json").json
    assert sorted(each["message"] for each in waiting) == ["First?", "Second?"]

    unclear = cli("approvals", "approve", execution_id)
    assert (unclear.code, "one" in unclear.err, "two" in unclear.err) == (2, True, True)
    assert cli("approvals", "reject", execution_id, "two", "-m", "no").code == 0
    assert "approved" in cli("approvals", "approve", execution_id).err
    late = cli("approvals", "approve", execution_id, "two")
    assert (late.code, "decided" in late.err) == (1, True)

    sent = cli("signal", execution_id, "paid", "--data", '{"amount": 90}', "--id", "i-1")
    assert "paid" in sent.err
    again = cli("signal", execution_id, "paid", "--data", '{"amount": 90}', "--id", "i-1", "--json")
    assert (again.json["fresh"], again.json["taken_by"]) == (False, "paid")
    shown = cli("executions", "show", execution_id, "--json").json
    assert shown["output"] == {"one": "approved", "two": "rejected", "paid": {"amount": 90}}


LOOKING = """
import subprocess, sys
import omium


@omium.step(concurrency=omium.Concurrency("provider: a", 2))
def look():
    for more in ([], ["provider: a", "--json"]):
        subprocess.run([sys.executable, "-m", "omium", "slots", *more], check=True)


@omium.workflow
def looking():
    look()


looking()
"""


def test_who_runs_under_a_key_is_listed_while_it_does(cli, running_server):
    done = cli.python(LOOKING)
    table, _, listed = done.out.partition("[")

    assert done.code == 0, done.err
    assert ("running" in table, "provider: a" in table, "look" in table) == (True, True, True)
    (slot,) = json.loads(f"[{listed}")
    assert (slot["execution_id"], slot["path"], slot["state"]) == (cli.newest("looking"), "look", "held")
    assert "Nothing runs or waits under a key." in cli("slots").err
    assert "under the key other" in cli("slots", "other").err
