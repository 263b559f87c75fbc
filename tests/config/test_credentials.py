"""Where a secret is kept: the system's keyring where one works, else the private file; and how it goes."""

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from omium.config import (
    forget_credential,
    forget_profile,
    load_settings,
    read_config,
    store_credential,
    use_profile,
    write_profile,
)
from omium.errors import ConfigError

A = {"base_url": "http://a:1", "tenant": "default"}


class SystemKeyring(KeyringBackend):
    """A keyring as an operating system has it; `locked` refuses, as one whose owner does not answer."""

    priority = 5

    def __init__(self):
        super().__init__()
        self.entries = {}
        self.locked = False

    def get_password(self, service, username):
        if self.locked:
            raise KeyringLocked
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        if self.locked:
            raise KeyringLocked
        self.entries[service, username] = password

    def delete_password(self, service, username):
        if self.locked:
            raise KeyringLocked
        del self.entries[service, username]


class PlainFile(SystemKeyring):
    """A backend of the sort that keeps passwords in a file of its own."""

    priority = 0.5


@pytest.fixture
def use_backend():
    before = keyring.get_keyring()

    def use(backend):
        keyring.set_keyring(backend)
        return backend

    yield use
    keyring.set_keyring(before)


@pytest.fixture
def system(use_backend):
    return use_backend(SystemKeyring())


@pytest.fixture
def no_keyring(use_backend):
    return use_backend(PlainFile())


def load(folder, **given):
    return load_settings(environ={"OMIUM_CONFIG_DIR": str(folder)}, **given)


def test_a_secret_goes_into_the_keyring_and_not_into_the_file(tmp_path, system):
    where = store_credential("default", "om_secret", A, folder=tmp_path)
    assert "keyring" in where
    assert "om_secret" not in (tmp_path / "config.toml").read_text()
    assert load(tmp_path).api_key == "om_secret"


def test_without_a_real_keyring_it_goes_into_the_private_file(tmp_path, no_keyring):
    where = store_credential("default", "om_secret", A, folder=tmp_path)
    assert where == str(tmp_path / "config.toml")
    assert (tmp_path / "config.toml").stat().st_mode & 0o777 == 0o600
    assert no_keyring.entries == {}
    assert load(tmp_path).api_key == "om_secret"


def test_a_locked_keyring_does_not_lose_the_secret(tmp_path, system):
    system.locked = True
    store_credential("default", "om_secret", A, folder=tmp_path)
    assert load(tmp_path).api_key == "om_secret"


def test_a_keyring_that_has_lost_it_is_an_error_with_the_remedy(tmp_path, system):
    store_credential("default", "om_secret", A, folder=tmp_path)
    system.entries.clear()
    with pytest.raises(ConfigError, match=r"keyring.*omium init"):
        load(tmp_path)
    assert load(tmp_path, api_key="om_other").api_key == "om_other"


def test_the_keyring_is_not_asked_when_the_key_is_given(tmp_path, system):
    store_credential("default", "om_secret", A, folder=tmp_path)
    system.locked = True
    environ = {"OMIUM_CONFIG_DIR": str(tmp_path), "OMIUM_API_KEY": "om_given"}
    assert load_settings(environ=environ).api_key == "om_given"


def test_a_secret_in_the_keyring_is_not_sent_to_another_server(tmp_path, system):
    store_credential("default", "om_secret", A, folder=tmp_path)
    assert load(tmp_path, base_url="http://b:1").api_key is None


def test_a_profile_that_was_pointed_elsewhere_by_hand_does_not_find_the_secret(tmp_path, system):
    store_credential("default", "om_secret", A, folder=tmp_path)
    write_profile(tmp_path, "default", {"base_url": "http://evil:1", "credential": "keyring"})
    with pytest.raises(ConfigError, match="no such entry"):
        load(tmp_path)


def test_a_secret_that_is_stored_again_replaces_the_other(tmp_path, system):
    store_credential("default", "om_one", A, folder=tmp_path)
    store_credential("default", "om_two", A | {"base_url": "http://b:1"}, folder=tmp_path)
    assert load(tmp_path).api_key == "om_two"
    assert list(system.entries.values()) == ["om_two"]


def test_two_profiles_and_two_folders_do_not_share_an_entry(tmp_path, system):
    store_credential("one", "om_one", A, folder=tmp_path / "x")
    store_credential("two", "om_two", A, folder=tmp_path / "x")
    store_credential("one", "om_three", A, folder=tmp_path / "y")
    assert load(tmp_path / "x", profile="one").api_key == "om_one"
    assert load(tmp_path / "x", profile="two").api_key == "om_two"
    assert load(tmp_path / "y", profile="one").api_key == "om_three"


@pytest.mark.parametrize("backend", [SystemKeyring, PlainFile])
def test_what_is_forgotten_is_gone_from_both_places(tmp_path, use_backend, backend):
    used = use_backend(backend())
    store_credential("default", "om_secret", A | {"api_key_id": "ak_1"}, folder=tmp_path)
    assert forget_credential("default", folder=tmp_path)
    assert not forget_credential("default", folder=tmp_path)
    assert used.entries == {}
    assert read_config(tmp_path).profiles["default"] == A
    assert load(tmp_path).api_key is None


def test_a_removed_profile_takes_its_secret_along_and_leaves_the_others(tmp_path, system):
    store_credential("one", "om_one", A, folder=tmp_path)
    store_credential("two", "om_two", A, folder=tmp_path)
    with (tmp_path / "config.toml").open("a") as file:
        file.write("# a comment of mine\n")
    assert forget_profile("two", folder=tmp_path)
    assert not forget_profile("two", folder=tmp_path)
    assert read_config(tmp_path).active == "one"
    assert load(tmp_path).api_key == "om_one"
    assert list(system.entries.values()) == ["om_one"]


def test_another_profile_can_be_made_the_one_that_counts(tmp_path, no_keyring):
    store_credential("one", "om_one", A, folder=tmp_path)
    store_credential("two", "om_two", A, folder=tmp_path)
    use_profile(tmp_path, "one")
    assert load(tmp_path).api_key == "om_one"
    with pytest.raises(ConfigError, match=r"no profile 'three'.*there: one, two"):
        use_profile(tmp_path, "three")


def test_an_unknown_place_for_the_secret_is_refused(tmp_path, no_keyring):
    write_profile(tmp_path, "default", {"credential": "under the mat"})
    with pytest.raises(ConfigError, match="under the mat"):
        load(tmp_path)


def test_a_store_that_dies_before_the_profile_is_written_leaves_the_old_one_usable(
    tmp_path, system, monkeypatch
):
    store_credential("default", "om_old", A, folder=tmp_path)

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            store_credential("default", "om_new", A | {"base_url": "http://b:1"}, folder=tmp_path)

    assert load(tmp_path).api_key == "om_old"
    store_credential("default", "om_new", A | {"base_url": "http://b:1"}, folder=tmp_path)
    assert load(tmp_path).api_key == "om_new"
    assert list(system.entries.values()) == ["om_new"]
