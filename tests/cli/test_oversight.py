"""The audit log, alerts and named secrets at the command line."""

import csv
import io
import json


def test_a_secret_is_typed_in_and_shown_nowhere(cli, running_server):
    done = cli("secrets", "set", "search_key", stdin="correct horse\n")
    assert done.code == 0, done.err
    again = cli("secrets", "set", "search_key", "--json", stdin="battery staple")
    listed = cli("secrets", "list")

    assert again.json["version"] == 2
    assert "search_key" in listed.out
    assert "correct horse" not in done.out + done.err + again.out + listed.out + running_server.log()
    assert cli("secrets", "set", "empty", stdin="\n").code == 2
    assert cli("secrets", "delete", "search_key", "--yes").code == 0
    assert cli("secrets", "delete", "search_key", "--yes").code == 1


def test_the_log_is_listed_exported_and_checked(cli, running_server, tmp_path):
    cli("keys", "create", "--name", "=cmd|nightly")
    cli("secrets", "set", "a", stdin="some value")
    listed = cli("audit", "list", "--json", "--action", "key.created").json
    assert [entry["result"] for entry in listed] == ["done"]
    assert cli("audit", "list", "--since", "2999-01-01", "--json").json == []
    assert cli("audit", "list", "--since", "yesterday").code == 2

    assert len(cli("audit", "list", "--limit", "1", "--since", "1h", "--json").json) == 1

    lines = cli("audit", "export").out
    file = tmp_path / "audit.jsonl"
    file.write_text(lines)
    head = cli("audit", "verify", "--json")
    assert (head.code, head.json["problems"]) == (0, [])
    assert cli("audit", "verify", "--file", str(file)).code == 0

    entries = [json.loads(line) for line in lines.splitlines()]
    entries[1]["actor_id"] = "somebody else"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    changed = cli("audit", "verify", "--file", str(file))
    assert changed.code == 1
    assert f"entry {entries[1]['seq']} was changed" in changed.err

    table = list(csv.DictReader(io.StringIO(cli("audit", "export", "--csv").out)))
    assert [row["action"] for row in table[: len(entries)]] == [entry["action"] for entry in entries]


def test_a_rule_is_added_tried_and_removed(cli, running_server):
    made = cli("alerts", "add", "--name", "r", "--webhook", "https://127.0.0.1:9/x", "--json").json
    assert made["signing_secret"].startswith("whsec_")
    assert cli("alerts", "test", made["id"]).code == 0
    assert [each["kind"] for each in cli("alerts", "deliveries", "--json").json] == ["alert.tested"]
    assert cli("alerts", "rotate", made["id"]).out.startswith("whsec_")
    assert cli("alerts", "remove", made["id"], "--yes").code == 0
    assert cli("alerts", "list", "--json").json == []

    refused = cli("alerts", "add", "--name", "r", "--webhook", "https://127.0.0.1/x", "--email", "a@b.c")
    assert (refused.code, "one destination" in refused.err) == (2, True)
    assert "http" in cli("alerts", "add", "--name", "r", "--webhook", "http://hooks.invalid/x").err
