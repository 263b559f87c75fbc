"""`omium providers`: what the operator has configured on this machine, and whether it answers."""

import asyncio
import termios
import threading

import pytest

from omium.server.seal import KeyFile
from tests.builtin.model_server import KEY, open_model, say
from tests.cli.conftest import make_cli
from tests.cli.terminal import Terminal


@pytest.fixture
def cli(tmp_path):
    return make_cli(tmp_path, OMIUM_DATA_DIR=str(tmp_path / "data"))


@pytest.fixture
def model():
    """A scripted provider in a thread of its own: the command runs in another process."""
    ready, done, found = threading.Event(), asyncio.Event(), []

    async def serve():
        async with open_model(say("ready")) as model:
            found.extend([model, asyncio.get_running_loop()])
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(60)
    yield found[0]
    found[1].call_soon_threadsafe(done.set)
    thread.join()


def make_data(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return data


def configure(tmp_path, base_url):
    data = make_data(tmp_path)
    (tmp_path / "key").write_text(KEY)
    (data / "providers.toml").write_text(
        f'[local]\nbase_url = "{base_url}"\nkey_file = "{tmp_path}/key"\nmodels = ["tiny-1"]\n'
    )


def test_an_empty_list_says_what_to_do(cli, tmp_path):
    shown = cli("providers", "list")

    assert shown.code == 0
    assert "omium providers add NAME" in shown.out + shown.err
    assert f"{tmp_path}/data/providers.toml" in shown.out + shown.err


def test_providers_are_listed_without_their_keys_and_tested(cli, tmp_path, model):
    configure(tmp_path, model.base_url)

    listed = cli("providers", "list")
    assert "local" in listed.out
    assert "tiny-1" in listed.out
    (facts,) = cli("providers", "list", "--json").json
    assert (facts["name"], facts["has_key"]) == ("local", True)
    tested = cli("providers", "test", "local", "--json")
    assert tested.json == {
        "provider": "local", "model": "tiny-1", "said": "ready", "input_tokens": 11, "output_tokens": 7,
    }  # fmt: skip
    assert model.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in listed.out + listed.err + tested.out + tested.err


def test_a_provider_that_does_not_answer_is_told_in_a_sentence(cli, tmp_path):
    configure(tmp_path, "http://127.0.0.1:1/v1")

    failed = cli("providers", "test", "local")
    assert failed.code == 1
    assert "could not be reached" in failed.err
    assert "there are: local" in cli("providers", "test", "else").err


def test_a_mistake_in_the_file_is_named(cli, tmp_path):
    configure(tmp_path, "ftp://x/")

    failed = cli("providers", "list")
    assert failed.code == 1
    assert "providers.toml: local: base_url is an address" in failed.err


def test_a_provider_is_added_with_a_sealed_key_used_and_removed(cli, tmp_path, model):
    KeyFile.open(make_data(tmp_path) / "keys.json")
    words = ("providers", "add", "cloud", "--base-url", model.base_url, "--model", "tiny-1")

    added = cli(*words, "--json", stdin=f"{KEY}\n")
    assert (added.json["name"], added.json["has_key"], added.json["changed"]) == ("cloud", True, True)
    assert cli(*words, "--json", stdin=KEY).json["changed"] is False
    assert cli("providers", "test", "cloud", "--json").json["said"] == "ready"
    assert model.headers[0]["authorization"] == f"Bearer {KEY}"
    asked = cli(*words, "--no-key")
    assert asked.code == 2
    assert "Change the provider cloud" in asked.err
    assert KEY not in (tmp_path / "data" / "providers.toml").read_text() + added.out + added.err + asked.err
    assert cli("providers", "remove", "cloud").code == 2
    assert cli("providers", "remove", "cloud", "--yes", "--json").json == {"name": "cloud", "removed": True}
    assert cli("providers", "remove", "cloud", "--json").json == {"name": "cloud", "removed": False}


def test_a_key_that_is_typed_is_not_shown(cli, tmp_path):
    KeyFile.open(make_data(tmp_path) / "keys.json")
    terminal = Terminal(cli, "providers", "add", "cloud", "--base-url", "https://api.example.com/v1")
    terminal.expect("Key of cloud")
    while termios.tcgetattr(terminal.main)[3] & termios.ECHO:  # what is typed before it's off is shown
        assert terminal.read(1), terminal.shown
    terminal.type("sk-typed\n")
    terminal.expect("cloud is added")
    assert terminal.end() == 0
    assert "sk-typed" not in terminal.shown
    assert cli("providers", "list", "--json").json[0]["has_key"] is True


def test_where_a_key_is_can_be_said_instead(cli, tmp_path):
    url = ("--base-url", "http://127.0.0.1:1/v1")
    missing = cli("providers", "add", "a", *url, "--no-key")
    assert "There is no data folder" in missing.err
    make_data(tmp_path)
    (tmp_path / "key").write_text(KEY)

    assert "is added" in cli("providers", "add", "a", *url, "--key-file", str(tmp_path / "key")).err
    assert "must have CLOUD_KEY" in cli("providers", "add", "b", *url, "--key-env", "CLOUD_KEY").err
    both = cli("providers", "add", "c", *url, "--key-env", "CLOUD_KEY", "--no-key")
    assert (both.code, "Name one of" in both.err) == (2, True)
    leaked = cli("providers", "add", "c", *url, "--key-env", "sk-abc")
    assert (leaked.code, "sk-abc" in leaked.err) == (2, False)
    assert "--no-key" in cli("providers", "add", "c", *url, stdin="\n").err
    assert "no " in cli("providers", "add", "c", *url, stdin=KEY).err  # no key file to seal with yet
    assert "is an address" in cli("providers", "add", "c", "--base-url", "x", "--no-key").err
    listed = cli("providers", "list", "--json", CLOUD_KEY=KEY).json
    assert [(each["name"], each["has_key"]) for each in listed] == [("a", True), ("b", True)]
