"""Keys and profiles on the command line: what is printed, what is stored, what is asked first."""

import csv
import io

import pytest

from omium.cli.ending import WrongUse
from omium.cli.spans import parse_moment, parse_past, parse_span_s

US = 1_000_000


def test_the_life_of_a_key(cli):
    made = cli(
        *("keys", "create", "--name", "nightly", "--expires", "90d", "--workflow", "report"),
        *("--spend-cap", "2.50", "--cap-period", "day", "--soft-cap", "80", "--json"),
    ).json
    assert made["api_key"].startswith("om_dev_")
    assert (made["spend_cap_usd"], made["cap_period"], made["workflows"]) == (2.5, "day", ["report"])

    (listed,) = [key for key in cli("keys", "list", "--json").json if key["name"] == "nightly"]
    assert listed["id"] == made["id"]
    assert (listed["status"], listed["environment"], listed["spent_usd"]) == ("active", "dev", 0)
    assert {"spend_cap_usd", "last_used_at", "expires_at"} <= listed.keys()
    assert "api_key" not in listed

    updated = cli(
        "keys", "update", "nightly", "--name", "daily", "--no-cap", "--all-workflows", "--json"
    ).json
    assert (updated["name"], updated["spend_cap_usd"], updated["workflows"]) == ("daily", None, None)
    assert updated["expires_at"] == listed["expires_at"]

    rotated = cli("keys", "rotate", "daily", "--grace", "1h", "--yes")
    assert rotated.out.startswith("om_dev_")
    assert "The old secret ends in" in rotated.err
    assert cli("whoami", OMIUM_API_KEY=made["api_key"]).code == 0
    assert cli("whoami", OMIUM_API_KEY=rotated.out.strip()).code == 0

    assert cli("keys", "revoke", "daily").code == 2  # nobody to ask
    assert cli("keys", "revoke", "daily", "--yes", "--json").json["status"] == "revoked"
    refused = cli("whoami", OMIUM_API_KEY=rotated.out.strip())
    assert (refused.code, "revoked" in refused.err) == (1, True)
    assert cli("keys", "list", "--status", "revoked", "--json").json[0]["id"] == made["id"]


def test_usage_is_a_table_or_json_or_csv(cli):
    assert cli("run", "my_agents.py:report", "--input", "topic=x").code == 0

    table, plain, lines = (cli("keys", "usage", "owner", *flags) for flags in ([], ["--json"], ["--csv"]))

    assert "EXECUTIONS" in table.out
    assert plain.json["total"]["executions"] == 1
    assert plain.json["total"]["steps"] == 3
    (row,) = csv.DictReader(io.StringIO(lines.out))
    assert (row["executions"], row["steps"]) == ("1", "3")
    assert cli("keys", "usage", "owner", "--csv", "--json").code == 2


def test_the_profiles_own_key_is_kept_when_it_is_rotated(cli, tmp_path, running_server):
    environment = {"OMIUM_API_KEY": "", "OMIUM_BASE_URL": ""}
    key = cli("keys", "create", "--name", "mine", "--scope", "manage", "--scope", "read", "--json").json
    init = cli("init", "--base-url", running_server.base_url, stdin=key["api_key"], OMIUM_API_KEY="")
    assert init.code == 0, init.err

    rotated = cli("keys", "rotate", "mine", "--yes", **environment)

    assert rotated.code == 0, rotated.err
    assert "kept there" in rotated.err
    assert rotated.out.strip() in (tmp_path / "config/config.toml").read_text()
    assert cli("whoami", **environment).code == 0


def test_a_token_works_in_place_of_the_key_and_manages_nothing(cli):
    token = cli("keys", "token", "--scope", "read", "--ttl-s", "60").out.strip()

    assert cli("keys", "list", OMIUM_API_KEY=token).code == 0
    refused = cli("keys", "create", "--name", "x", OMIUM_API_KEY=token)
    assert (refused.code, "manage" in refused.err) == (1, True)


def test_a_key_in_a_file_that_others_can_read_is_refused_with_the_remedy(cli, tmp_path):
    file = tmp_path / "key"
    file.write_text(cli.environment["OMIUM_API_KEY"])
    file.chmod(0o644)
    refused = cli("whoami", OMIUM_API_KEY="", OMIUM_API_KEY_FILE=str(file))
    assert f"chmod 600 {file}" in refused.err
    file.chmod(0o600)
    assert cli("whoami", OMIUM_API_KEY="", OMIUM_API_KEY_FILE=str(file)).code == 0


def test_profiles_are_listed_chosen_and_removed(lone_cli, tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "config.toml").write_text(
        'profile = "one"\n\n[profiles.one]\nbase_url = "http://a:1"\napi_key = "om_a"\n\n'
        '[profiles.two]\nbase_url = "http://b:1"\n'
    )
    (config / "config.toml").chmod(0o600)

    listed = lone_cli("profiles", "list", "--json").json
    assert [(row["name"], row["active"], row["credential"]) for row in listed] == [
        ("one", True, "file"),
        ("two", False, None),
    ]
    assert "om_a" not in lone_cli("profiles", "list").out
    assert lone_cli("profiles", "use", "two").code == 0
    assert lone_cli("profiles", "list", "--json").json[1]["active"]
    assert lone_cli("profiles", "remove", "one", "--yes").code == 0
    assert "om_a" not in (config / "config.toml").read_text()
    assert lone_cli("profiles", "remove", "one", "--yes").code == 1
    assert lone_cli("profiles", "use", "one").code == 1


@pytest.mark.parametrize(
    ("text", "meant_us"),
    [
        ("90d", 90 * 86_400 * US),
        ("12h", 12 * 3_600 * US),
        ("4w", 28 * 86_400 * US),
        ("5 m", 300 * US),
        ("1970-01-02", 86_400 * US),
        ("1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_a_moment_is_a_span_from_now_or_a_day_of_utc(text, meant_us):
    assert parse_moment(text, 0) == meant_us


@pytest.mark.parametrize("text", ["soon", "90", "-1d", "1y", "2027-13-01", ""])
def test_what_is_no_moment_is_wrong_use(text):
    for parse in (parse_moment, parse_past):
        with pytest.raises(WrongUse):
            parse(text, 0)


def test_a_span_goes_forwards_or_back_but_never_before_all_time():
    assert parse_span_s("30m") == 1_800
    assert parse_moment("1h", 7_200 * US) == 10_800 * US
    assert parse_past("1h", 7_200 * US) == 3_600 * US
    assert parse_past("4w", 7_200 * US) == 0
    assert parse_past("1970-01-02", 0) == 86_400 * US


@pytest.mark.parametrize(
    "arguments", [["--no-cap", "--spend-cap", "1"], ["--no-expiry", "--expires", "1d"], []]
)
def test_contradictions_are_wrong_use_before_the_server_is_asked(lone_cli, arguments):
    assert lone_cli("keys", "update", "ak_" + "0" * 26, *arguments).code == 2
