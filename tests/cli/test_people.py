"""People at the command line: `signup`, `login`, `logout`, `passwd`, `members`, `tenants`, `users`."""

import pytest

from omium.config import keep_credential, load_settings, read_config, write_profile
from tests.cli.conftest import make_cli
from tests.cli.terminal import Terminal

PASSWORD = "correct battery staple horse"
PIN = "sha256:" + "ab" * 32


@pytest.fixture
def server(make_running_server):
    return make_running_server(OMIUM_PASSWORD_MEMORY_MIB="8")


@pytest.fixture
def machine(tmp_path, server):
    """A function that returns the command line of a machine that was never connected."""

    def make(name, **environment):
        folder = tmp_path / name
        folder.mkdir()
        return make_cli(folder, OMIUM_BASE_URL=server.base_url, **environment)

    return make


def test_two_people_share_a_tenant(machine, server):
    ada = machine("ada", OMIUM_DATA_DIR=str(server.data))
    made = ada("signup", "--user", "Ada@example.org", "--tenant", "acme", "--json", stdin=PASSWORD + "\n")
    assert made.code == 0, made.err
    assert (made.json["user"], made.json["role"], made.json["tenant"]) == ("ada@example.org", "owner", "acme")
    assert "session_token" not in made.json
    assert (ada.folder / "config" / "config.toml").stat().st_mode & 0o077 == 0
    assert not list(server.data.rglob("*token*"))

    who = ada("whoami", "--json").json
    assert (who["user"], who["role"], who["api_key_id"], who["credits"]) == (
        "ada@example.org", "owner", None, 10_000,
    )  # fmt: skip
    assert ada("keys", "create", "--name", "ci").out.startswith("om_dev_")

    invitation = ada("members", "invite", "--role", "operator", "--note", "Bob").out.strip()
    bob = machine("bob")
    (bob.folder / "invitation").write_text(invitation + "\n")
    (bob.folder / "password").write_text(PASSWORD + "\n")
    files = ["--invitation-file", str(bob.folder / "invitation")]
    files += ["--password-file", str(bob.folder / "password")]
    assert bob("signup", "--user", "bob", *files).code == 0
    refused = bob("keys", "create", "--name", "x")
    assert (refused.code, "operator" in refused.err) == (1, True)

    members = ada("members", "list", "--json").json
    assert [(each["user"], each["role"], each["active_keys"]) for each in members] == [
        ("ada@example.org", "owner", 1),
        ("bob", "operator", 0),
    ]
    assert ada("members", "role", "bob", "viewer").code == 0
    assert bob("whoami", "--json").json["role"] == "viewer"
    assert [each["status"] for each in ada("members", "invitations", "--json").json] == ["used"]
    assert ada("members", "remove", "bob", "--yes").code == 0
    assert "omium login" in bob("status").err


def test_a_person_logs_in_elsewhere_switches_and_leaves(machine, server):
    ada = machine("ada", OMIUM_DATA_DIR=str(server.data))
    assert ada("signup", "--user", "ada", "--tenant", "acme", stdin=PASSWORD + "\n").code == 0

    laptop = machine("laptop")
    assert laptop("login", "--user", "ada", stdin=PASSWORD + "\n").code == 0
    assert laptop("tenants", "create", "research").code == 0
    assert laptop("tenants", "switch", "research", "--environment", "prod").code == 0
    assert [(each["name"], each["current"]) for each in laptop("tenants", "list", "--json").json] == [
        ("acme", False),
        ("research", True),
    ]
    assert laptop("whoami", "--json").json["environment"] == "prod"
    assert laptop("tenants", "rename", "laboratory").code == 0
    assert laptop("tenants", "delete").code == 2
    assert laptop("tenants", "delete", "--confirm", "laboratory").code == 0
    assert laptop("whoami").code == 1
    lost = ada("passwd", "--password-file", "nowhere")
    assert (lost.code, lost.err) == (2, "omium: Cannot read nowhere: No such file or directory.\n")
    assert ada("passwd", stdin=f"{PASSWORD}\n{PASSWORD} 2\n").code == 0
    assert laptop("login", "--user", "ada", stdin=PASSWORD + " 2\n").code == 0
    phone = machine("phone")
    assert phone("login", "--user", "ada", stdin=PASSWORD + " 2\n").code == 0
    (newest, *_) = laptop("sessions", "list", "--json").json
    assert laptop("sessions", "revoke", f"se_…{newest['id'][-8:]}", "--yes", "--json").json == {"ended": 1}
    assert phone("whoami").code == 1
    assert ada("whoami").code == 0
    assert laptop("sessions", "revoke", "--others", "--yes").code == 0
    assert ada("whoami").code == 1
    out = laptop("logout", "--yes", "--json")
    assert (out.code, out.json["session_ended"]) == (0, True)
    assert laptop("whoami").code == 1


def test_a_person_deletes_the_account(machine, server):
    ada = machine("ada", OMIUM_DATA_DIR=str(server.data))
    assert ada("signup", "--user", "ada", "--tenant", "acme", stdin=PASSWORD + "\n").code == 0
    (ada.folder / "invitation").write_text(ada("members", "invite", "--role", "viewer").out)
    bob = machine("bob")
    files = ["--invitation-file", str(ada.folder / "invitation")]
    assert bob("signup", "--user", "bob", *files, stdin=PASSWORD + "\n").code == 0

    assert "only owner" in ada("delete-account", "--yes", stdin=PASSWORD + "\n").err
    key = ada("keys", "create", "--name", "ci", "--json").json["api_key"]
    assert "omium login" in ada("delete-account", "--yes", stdin=PASSWORD + "\n", OMIUM_API_KEY=key).err
    assert bob("delete-account", "--yes", stdin="wrong wrong wrong\n").code == 1
    assert bob("delete-account", "--yes", "--json", stdin=PASSWORD + "\n").json == {"user": "bob"}
    assert "omium login" in bob("whoami").err
    assert bob("login", "--user", "bob", stdin=PASSWORD + "\n").code == 1
    assert [each["user"] for each in ada("members", "list", "--json").json] == ["ada"]


def test_a_password_is_asked_for_without_being_shown(machine, server):
    ada = machine("ada", OMIUM_DATA_DIR=str(server.data))
    terminal = Terminal(ada, "signup", "--user", "ada", "--tenant", "acme")
    terminal.expect("Password, at least 12 characters")
    terminal.type(PASSWORD + "\n")
    terminal.expect("Repeat for confirmation")
    terminal.type(PASSWORD + "\n")
    terminal.expect("Next: an API key")
    assert terminal.end() == 0
    assert PASSWORD not in terminal.shown
    assert PASSWORD not in server.log()


def test_a_key_in_the_profile_is_not_replaced_unasked(machine, server):
    machine_ = machine("ada", OMIUM_DATA_DIR=str(server.data))
    key = machine_("init", "--local", "--yes", "--json").json
    invited = machine_("members", "invite", "--role", "owner", "--server-owner").out
    (machine_.folder / "invitation").write_text(invited)
    files = ["--user", "ada", "--invitation-file", str(machine_.folder / "invitation")]

    assert machine_("signup", *files, stdin=PASSWORD + "\n").code == 2
    beside = {"OMIUM_API_KEY": key["api_key"]}  # the key in use may be another than the one that would go
    assert machine_("signup", *files, stdin=PASSWORD + "\n", **beside).code == 2
    assert machine_("whoami", "--json").json["api_key_id"] == key["api_key_id"]
    kept = machine_("signup", *files, "--profile", "me", stdin=PASSWORD + "\n")
    assert kept.code == 0, kept.err
    assert machine_("whoami", "--profile", "me", "--json").json["user"] == "ada"
    assert "server" in machine_("whoami", "--profile", "me", "--json").json["scopes"]


def test_what_a_profile_says_beside_its_secret_outlives_a_log_in(tmp_path):
    write_profile(
        tmp_path,
        "default",
        {
            "base_url": "https://omium.example",
            "api_key": "om_a",
            "api_key_id": "ak_a",
            "durability": "relaxed",
            "tls_pin": PIN,
        },
    )
    for base_url, pin in (("https://omium.example", PIN), ("https://other.example", None)):
        settings = load_settings(base_url=base_url, environ={"OMIUM_CONFIG_DIR": str(tmp_path)})
        keep_credential(settings, "oms_b", {"tenant": "acme"})
        stored = read_config(tmp_path).profiles["default"]
        assert (stored["base_url"], stored["api_key"], stored["tenant"]) == (base_url, "oms_b", "acme")
        assert (stored["durability"], stored.get("tls_pin")) == ("relaxed", pin)
        assert "api_key_id" not in stored


def test_a_key_goes_into_a_profile_that_is_new(machine, server):
    machine_ = machine("ada", OMIUM_DATA_DIR=str(server.data))
    key = machine_("init", "--local", "--yes", "--json").json["api_key"]
    made = machine_("init", "--profile", "second", "--yes", OMIUM_API_KEY=key)
    assert made.code == 0, made.err
    assert machine_("whoami", "--profile", "second").code == 0


def test_whoever_has_the_folder_resets_a_password(machine, server):
    ada = machine("ada", OMIUM_DATA_DIR=str(server.data))
    assert ada("signup", "--user", "ada", "--tenant", "acme", stdin=PASSWORD + "\n").code == 0
    running = ada("users", "list")
    assert running.code == 1
    server.stop()

    users = ada("users", "list", "--json").json
    assert [(each["user"], each["tenants"], each["server_owner"]) for each in users] == [
        ("ada", ["acme (owner)"], True)
    ]
    assert ada("users", "reset-password", "nobody", stdin=PASSWORD + "\n").code == 1
    assert ada("users", "reset-password", "ada", stdin=PASSWORD + " 3\n").code == 0

    assert ada("users", "disable", "ada").code == 0
    server.start()
    assert ada("whoami").code == 1
    assert ada("login", "--user", "ada", stdin=PASSWORD + " 3\n").code == 1
    server.stop()
    assert ada("users", "enable", "ada").code == 0
    server.start()
    assert ada("login", "--user", "ada", stdin=PASSWORD + "\n").code == 1
    assert ada("login", "--user", "ada", stdin=PASSWORD + " 3\n").code == 0

    told = [each["action"] for each in ada("audit", "list", "--json").json if each["actor_id"] == "server"]
    assert told == ["user.enabled", "user.disabled", "password.reset"]
    server.stop()
    assert ada("db", "verify", "--offline").code == 0
