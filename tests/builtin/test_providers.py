"""The operator's providers: a file that is read again when it has changed, and says what is wrong with it."""

import os

import pytest

from omium.errors import ConfigError
from omium.server.builtin.providers import Providers, read_providers

GOOD = '[local]\nbase_url = "http://127.0.0.1:11434/v1/"\nmodels = ["a", "b"]\n'


def test_a_provider_has_a_target_a_default_and_a_key_that_is_not_shown(tmp_path):
    path = tmp_path / "providers.toml"
    path.write_text(GOOD + '[cloud]\nbase_url = "https://api.example.com/v1"\nkey_env = "CLOUD"\n')
    found = read_providers(path, {"CLOUD": "sk-secret"})

    assert (found["local"].target, found["cloud"].target) == ("127.0.0.1:11434", "api.example.com:443")
    assert found["local"].base_url == "http://127.0.0.1:11434/v1"
    assert [found["local"].choose_model(asked) for asked in ("", "b", "c")] == ["a", "b", None]
    assert [found["cloud"].choose_model(asked) for asked in ("", "b")] == [None, "b"]
    assert found["cloud"].key == "sk-secret"
    assert "sk-secret" not in repr(found["cloud"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[local", "no TOML"),
        ("x = 1", "begin one with a line"),
        ("[local]", "base_url is an address"),
        ('[local]\nbase_url = "ftp://x/"', "base_url is an address"),
        ('[local]\nbase_url = "https://"', "base_url is an address"),
        ('[local]\nbase_url = "https://x:99999/"', "base_url is an address"),
        ('[local]\nbase_url = "https://x/?key=1"', "base_url is an address"),
        ('[local]\nbase_url = "https://user:pass@x/"', "no credentials"),
        (GOOD + 'key = "sk"', "no setting 'key'"),
        (GOOD + 'key_env = "A"\nkey_file = "/b"', "keep one"),
        (GOOD + 'key_env = "MISSING"', "no variable 'MISSING'"),
        (GOOD + 'key_file = "relative"', "whole path"),
        (GOOD + 'key_file = "/does/not/exist"', "cannot be read"),
        (GOOD.replace('["a", "b"]', '"a"'), "list of names"),
        (GOOD + "timeout_s = 0", "timeout_s"),
        (GOOD + "timeout_s = true", "timeout_s"),
        (GOOD + "max_tokens = 0", "max_tokens"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, reason):
    path = tmp_path / "providers.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        read_providers(path, {})


def test_the_file_is_read_again_when_it_has_changed_and_kept_while_it_is_broken(tmp_path):
    path = tmp_path / "providers.toml"
    providers = Providers(path, environ={})
    assert providers.find("local") is None

    path.write_text(GOOD)
    first = providers.find("local")
    assert first is not None
    assert providers.find("local") is first
    path.write_text("[local")
    assert providers.find("local") is first
    path.write_text(GOOD.replace("11434", "11435"))
    os.utime(path, ns=(1, 1))
    assert providers.find("local").target == "127.0.0.1:11435"
    path.unlink()
    assert providers.list_all() == []
