"""Changing providers.toml: one table at a time, the rest as it was, and a key that is of no use elsewhere."""

import os
import stat
import threading

import pytest

from omium.errors import ConfigError
from omium.server.builtin.provider_file import plan_entry, write_entry
from omium.server.builtin.providers import Providers, read_providers
from omium.server.seal import KeyFile

URL = "https://api.example.com/v1"
WRITTEN = """# ours, ask Kim

[local]   # the small one
base_url = "http://127.0.0.1:11434/v1"  # Ollama
models = [
  "a",  # the default
]

# the big one
['my.cloud']
base_url = "https://x/v1"
timeout_s = 60
# the last one
[third]
base_url = "https://y/v1"
"""


@pytest.fixture
def path(tmp_path):
    KeyFile.open(tmp_path / "keys.json")
    return tmp_path / "providers.toml"


def add(path, name, key="", **entry):
    plan = plan_entry(path, name, {"base_url": URL, **entry}, key, {})
    if not plan.is_there:
        write_entry(path, name, plan.entry)
    return plan


def test_what_is_added_and_removed_again_leaves_the_file_as_it_was(path):
    path.write_text(WRITTEN)
    path.chmod(0o644)
    assert not add(path, "new.one", models=['qu"o\\te']).replaces

    assert path.read_text().startswith(WRITTEN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_providers(path, {})["new.one"].models == ('qu"o\\te',)
    write_entry(path, "new.one", None)
    assert path.read_text().rstrip() == WRITTEN.rstrip()
    assert sorted(each.name for each in path.parent.iterdir()) == ["keys.json", "providers.toml"]


def test_a_change_takes_the_place_of_the_table_and_keeps_what_no_flag_sets(path):
    path.write_text(WRITTEN)
    plan = add(path, "my.cloud")

    assert plan.replaces
    before, after = WRITTEN.split("['my.cloud']\n")
    assert path.read_text() == (
        f'{before}["my.cloud"]\nbase_url = "{URL}"\ntimeout_s = 60\n' + after[after.index("# the last") :]
    )
    assert add(path, "my.cloud").is_there
    write_entry(path, "local", None)
    assert path.read_text().startswith('# ours, ask Kim\n\n\n# the big one\n["my.cloud"]\n')


@pytest.mark.parametrize(
    "text",
    [
        'local = { base_url = "https://x/v1" }\n',
        'local.base_url = "https://x/v1"\n',
        '[a]\nbase_url = """\n[local]\n"""\n[local]\nbase_url = "https://x/v1"\n',
    ],
)
def test_what_cannot_be_cut_out_with_certainty_is_left_alone(path, text):
    path.write_text(text)
    for entry in (None, {"base_url": URL}):
        with pytest.raises(ConfigError, match="by hand"):
            write_entry(path, "local", entry)
    assert path.read_text() == text


def test_a_sealed_key_opens_only_for_its_name_its_address_and_with_its_key_file(path):
    providers = Providers(path, environ={})
    providers.load()
    add(path, "cloud", "sk-secret")

    text = path.read_text()
    assert "sk-secret" not in text
    assert providers.find("cloud").key == "sk-secret"  # a running server reads the file again
    assert add(path, "cloud", "sk-secret").is_there
    assert path.read_text() == text
    for changed in (text.replace("[cloud]", "[other]"), text.replace(URL, "https://evil.example/v1")):
        path.write_text(changed)
        with pytest.raises(ConfigError, match="made for another name, base_url or key file"):
            read_providers(path, {})
    path.write_text(text)
    (path.parent / "keys.json").unlink()
    with pytest.raises(ConfigError, match=r"no .*keys.json"):
        read_providers(path, {})
    KeyFile.open(path.parent / "keys.json")
    with pytest.raises(ConfigError, match="omium providers add cloud"):
        read_providers(path, {})
    assert add(path, "cloud", "sk-secret").replaces  # which mends it
    assert read_providers(path, {})["cloud"].key == "sk-secret"
    assert add(path, "cloud", "sk-new").replaces
    assert add(path, "cloud").replaces  # without a key now
    assert read_providers(path, {})["cloud"].key == ""


@pytest.mark.parametrize("sealed", ['"no base64"', '""', '"AQAB"', "1"])
def test_a_damaged_sealed_key_is_told(path, sealed):
    path.write_text(f'[cloud]\nbase_url = "{URL}"\nkey_sealed = {sealed}\n')
    with pytest.raises(ConfigError, match="give the key again"):
        read_providers(path, {})


def test_a_file_that_is_linked_to_is_changed_where_it_is(path, tmp_path):
    (tmp_path / "etc").mkdir()
    real = tmp_path / "etc" / "models.toml"
    real.write_text(WRITTEN)
    path.symlink_to(real)
    add(path, "cloud", "sk-secret")

    assert path.is_symlink()
    assert "[cloud]" in real.read_text()
    assert read_providers(path, {})["cloud"].key == "sk-secret"


def test_a_failed_write_leaves_the_former_file_and_nothing_beside_it(path, monkeypatch):
    path.write_text(WRITTEN)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ConfigError, match="No space left"):
        add(path, "cloud")
    assert path.read_text() == WRITTEN
    assert len(list(path.parent.iterdir())) == 2


def test_those_who_add_at_once_lose_nothing(path):
    names = [f"p{number}" for number in range(8)]
    threads = [threading.Thread(target=add, args=(path, name)) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(read_providers(path, {})) == names
