"""`init`, `logout`, `doctor`, `db`, `keys`: what a person and an operator do with a machine."""

import json

import pytest

from omium.cli import checks
from tests.cli.conftest import make_cli
from tests.cli.terminal import Terminal


@pytest.fixture
def fresh(tmp_path, make_running_server):
    """A server without a tenant, and a machine that was never connected."""
    server = make_running_server()
    return make_cli(tmp_path, OMIUM_BASE_URL=server.base_url, OMIUM_DATA_DIR=str(server.data))


def test_a_fresh_machine_connects_in_two_answers(fresh):
    terminal = Terminal(fresh, "init")
    terminal.expect("Create one, with a key, now? [Y/n]")
    terminal.type("\n")
    terminal.expect("Ready. Next:")
    assert terminal.end() == 0

    again = Terminal(fresh, "init")
    again.expect("Paste your Omium API key (enter keeps the present one)")
    again.answer("\n", "Ready.")
    assert again.end() == 0
    assert "om_dev_" not in again.shown + terminal.shown  # the key is stored, not shown


def test_connecting_a_second_time_keeps_the_key_and_says_so(fresh):
    first = fresh("init", "--local", "--yes", "--json").json

    second = fresh("init", "--local", "--yes")

    assert second.code == 0
    assert "is kept" in second.err
    assert fresh("whoami", "--json").json["api_key_id"] == first["api_key_id"]


def test_connecting_again_with_a_key_that_is_no_longer_good_fails(fresh):
    made = fresh("init", "--local", "--yes", "--json").json
    assert fresh("keys", "revoke", made["api_key_id"], "--yes").code == 0

    assert fresh("init", "--local", "--yes").code == 1


def test_a_key_that_is_none_is_refused_before_the_server_is_asked(fresh):
    assert fresh("init", stdin="not-a-key\n").code == 1
    assert "not an Omium API key" in fresh("init", stdin="not-a-key\n").err


def test_init_status_and_whoami_have_their_fields(fresh):
    made = fresh("init", "--local", "--yes", "--json").json
    assert set(made) == {
        "tenant", "tenant_id", "api_key", "api_key_id", "environment", "credits", "base_url",
    }  # fmt: skip
    assert (fresh.folder / "config" / "config.toml").stat().st_mode & 0o077 == 0

    status = fresh("status", "--json").json
    assert {"tenant", "environment", "credits", "checklist", "running", "open_failures"} <= set(status)
    assert fresh("whoami", "--json").json["api_key_id"] == made["api_key_id"]

    assert fresh("logout").code == 2
    assert fresh("logout", "--yes").code == 0
    lost = fresh("status")
    assert (lost.code, "omium init" in lost.err) == (1, True)
    assert fresh("logout", "--yes").code == 1


def test_keys_are_created_listed_and_revoked(cli):
    made = cli("keys", "create", "--name", "ci", "--environment", "staging", "--json").json
    assert made["api_key"].startswith("om_staging_")
    listed = {key["name"]: key for key in cli("keys", "list", "--json").json}
    assert {"id", "name", "status", "environment", "last_used_at"} <= set(listed["ci"])
    assert made["api_key"] not in cli("keys", "list", "--json").out

    assert cli("keys", "revoke", "ci").code == 2
    assert cli("keys", "revoke", "ci", "--yes").code == 0
    assert cli("status", OMIUM_API_KEY=made["api_key"]).code == 1


def test_a_running_server_is_backed_up_verified_and_not_opened_by_others(cli, running_server, tmp_path):
    cli.python("import my_agents; my_agents.report('x')")
    made = cli("db", "backup", "--json").json
    assert cli("db", "verify", "--json").json["problems"] == []
    for typed in (["migrate"], ["new-key"], ["restore", made["file"], "--yes"]):
        refused = cli("db", *typed)
        assert (refused.code, "in use by another" in refused.err) == (1, True)

    tables = cli("db", "export", made["file"]).out
    assert "executions" in tables
    row = json.loads(cli("db", "export", made["file"], "executions").out.splitlines()[0])
    assert row["workflow"] == "report"
    assert cli("db", "export", made["file"], "executions", "--csv").out.startswith("id,tenant_id")
    assert {"table": "executions", "rows": 1} in cli("db", "export", made["file"], "--json").json
    assert cli("db", "export", made["file"], "executions", "--csv", "--json").code == 2
    assert cli("db", "export", made["file"], "nothing").code == 1

    cli.python("import my_agents; my_agents.report('lost by the restore')")
    running_server.stop()
    restored = cli("db", "restore", made["file"], "--yes", "--json").json
    assert restored["set_aside"]
    assert cli("db", "verify", "--offline", "--json").code == 0
    assert cli("db", "migrate", "--json").json == {"applied": []}
    fresh_key = cli("db", "new-key", "--json").json["api_key"]
    running_server.restart()
    assert len(cli("executions", "list", "--json", OMIUM_API_KEY=fresh_key).json) == 1


def findings(done):
    return {check["name"]: check for check in done.json["checks"]}


def test_the_doctor_finds_a_healthy_machine_healthy(cli):
    done = cli("doctor", "--json")

    assert done.code == 0, done.out
    found = findings(done)
    assert {"Omium", "SQLite", "Configuration", "Server", "Clock", "API key", "Spool", "Durability"} <= set(
        found
    )
    assert [name for name, each in found.items() if each["status"] == "fail"] == []
    shown = cli("doctor").out
    assert "✓ ok    Server" in shown
    assert "! warn  Backups" in shown


def test_the_doctor_says_what_to_do_about_each_fault(cli, running_server, tmp_path):
    (running_server.data / "keys.json").chmod(0o644)
    refused = tmp_path / "config" / "spool" / "rejected"
    refused.mkdir(parents=True)
    (refused / "ex_1.2.3.spool").write_bytes(b"x" * 10)
    (tmp_path / "config" / "spool" / "ex_1.2.spool").write_bytes(b"x" * 10)

    done = cli("doctor", "--json", OMIUM_API_KEY="om_dev_wrong")

    assert done.code == 1
    found = findings(done)
    assert found["Data folder"]["remedy"].startswith("chmod go-rwx")
    assert (found["API key"]["status"], found["API key"]["remedy"]) == ("fail", "omium init")
    assert found["Refused records"]["status"] == "warn"
    assert "1 execution (10 B)" in found["Spool"]["detail"]


def test_the_doctor_without_a_server_says_how_to_start_one(lone_cli, tmp_path):
    done = lone_cli("doctor")

    assert done.code == 1
    assert "✗ fail  Server" in done.out
    assert "omium serve" in done.out
    assert "Data folder" in done.out  # OMIUM_DATA_DIR names one that is not there


def test_the_doctor_names_the_line_of_a_broken_configuration(lone_cli, tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "config.toml").write_text("profile = 'a'\nnonsense = 3\n")

    found = findings(lone_cli("doctor", "--json"))

    assert found["Configuration"]["status"] == "fail"
    assert "line 2" in found["Configuration"]["detail"]


def test_another_distribution_in_our_folder_is_a_fault(monkeypatch):
    monkeypatch.setattr(checks, "find_other_distribution", lambda: "/site/omium-2.0.dist-info")

    found = {each.name: each for each in checks.check_installation()}

    assert found["Distribution"].level == "fail"
    assert "pip uninstall omium" in found["Distribution"].remedy


def test_a_narrow_terminal_gets_short_ids_colour_and_no_wrapped_line(cli):
    cli.python("import my_agents; my_agents.report('x')")
    terminal = Terminal(cli, "executions", "list", columns=60)
    terminal.expect("completed")
    assert terminal.end() == 0

    assert "ex_…" in terminal.shown
    assert "\x1b[32m✓ completed\x1b[0m" in terminal.shown
    bare = Terminal(cli, "executions", "list", "--no-color", columns=60)
    bare.expect("completed")
    assert bare.end() == 0
    assert "\x1b" not in bare.shown
    assert max(len(line) for line in bare.shown.splitlines()) <= 60


def test_waiting_in_a_terminal_shows_a_live_line_and_ctrl_c_leaves_the_run_alone(cli):
    terminal = Terminal(cli, "run", "report", "-i", "topic=later")
    terminal.expect("queued · 0 steps done")
    terminal.expect("No worker serves report")
    terminal.type("\x03")

    assert terminal.end() in (130, -2)
    assert "It goes on without this command" in terminal.shown
    assert cli("executions", "show", "last", "--json").json["status"] == "queued"
