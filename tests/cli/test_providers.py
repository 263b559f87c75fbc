"""`omium providers`: what the operator has configured on this machine, and whether it answers."""

import asyncio
import threading

import pytest

from tests.builtin.model_server import KEY, open_model, say
from tests.cli.conftest import make_cli


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


def configure(tmp_path, base_url):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (tmp_path / "key").write_text(KEY)
    (data / "providers.toml").write_text(
        f'[local]\nbase_url = "{base_url}"\nkey_file = "{tmp_path}/key"\nmodels = ["tiny-1"]\n'
    )


def test_an_empty_list_says_what_to_do(cli, tmp_path):
    shown = cli("providers", "list")

    assert shown.code == 0
    assert f"Describe one in {tmp_path}/data/providers.toml" in shown.out + shown.err


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
