"""The key file and sealed bytes: made once, private, whole after a crash, and bound to their place."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omium.apikeys import make_api_key
from omium.errors import ConfigError, SealBroken
from omium.ids import new_id
from omium.server import keyfile
from omium.server.seal import OVERHEAD_BYTES, KeyFile, Purpose


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return KeyFile.open(tmp_path_factory.mktemp("keys") / "keys")


def test_the_file_is_made_once_and_private(path):
    first = KeyFile.open(path)
    sealed = first.seal(b"x", b"place")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFile.open(path).unseal(sealed, b"place") == b"x"
    assert list(path.parent.iterdir()) == [path]  # no drafts are left
    content = json.loads(path.read_text())
    assert {len(key) for key in [*content["sealing"].values(), *content["named"].values()]} == {
        44
    }  # 256 bits
    assert len(set(content["named"].values())) == len(Purpose)


def test_the_mode_does_not_depend_on_the_umask(path):
    before = os.umask(0)
    try:
        KeyFile.open(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_servers_that_start_together_get_the_same_keys(path):
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: KeyFile.open(path), range(16)))
    assert len({each.hmac(Purpose.API_KEY, b"") for each in opened}) == 1
    assert list(path.parent.iterdir()) == [path]


def test_no_file_is_made_beside_an_existing_database(path):
    with pytest.raises(ConfigError, match="put it back from a backup"):
        KeyFile.open(path, create=False)
    assert not path.exists()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": 1, "sealing": {"1": "AAAA"}, "named": {}}', "\x00"]
)
def test_a_damaged_file_is_never_replaced(path, content):
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="damaged"):
        KeyFile.open(path)
    assert path.read_text() == content


def test_a_file_that_others_can_read_is_refused(path):
    KeyFile.open(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        KeyFile.open(path)


def test_a_file_of_a_newer_version_is_refused(path):
    KeyFile.open(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(ConfigError, match="newer"):
        KeyFile.open(path)


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_crash_while_it_is_made_leaves_no_half_a_file(path, monkeypatch, step):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(keyfile.os, step, crash)
        KeyFile.open(path)
    assert not path.exists()
    KeyFile.open(path)


def test_a_purpose_that_is_new_gets_a_key_and_the_others_keep_theirs(path):
    before = KeyFile.open(path)
    content = json.loads(path.read_text())
    del content["named"][Purpose.AUDIT_CHAIN]
    path.write_text(json.dumps(content))

    after = KeyFile.open(path)

    assert after.hmac(Purpose.API_KEY, "x") == before.hmac(Purpose.API_KEY, "x")
    assert after.hmac(Purpose.AUDIT_CHAIN, "x") == KeyFile.open(path).hmac(Purpose.AUDIT_CHAIN, "x")


def test_rotation_seals_with_a_new_key_and_still_opens_the_old(path):
    keys = KeyFile.open(path)
    old = keys.seal(b"old", b"")
    keys.rotate()
    new = keys.seal(b"new", b"")
    assert old[1:3] != new[1:3]
    again = KeyFile.open(path)
    assert (again.unseal(old, b""), again.unseal(new, b"")) == (b"old", b"new")


@settings(max_examples=50)
@given(data=st.binary(max_size=200), aad=st.binary(max_size=40))
def test_what_was_sealed_comes_back_and_never_looks_the_same(keys, data, aad):
    sealed = keys.seal(data, aad)
    assert keys.unseal(sealed, aad) == data
    assert len(sealed) == len(data) + OVERHEAD_BYTES
    assert keys.seal(data, aad) != sealed
    assert len(data) < 8 or data not in sealed


def test_every_changed_bit_is_noticed(keys):
    sealed = keys.seal(b"secret", b"place")
    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(SealBroken):
            keys.unseal(bytes(changed), b"place")


def test_a_sealed_value_opens_only_at_its_place_and_whole(keys):
    sealed = keys.seal(b"secret", b"tenant-a")
    for broken, place in (
        (sealed, b"tenant-b"),
        (sealed[:-1], b"tenant-a"),
        (b"", b""),
        (sealed[:40], b"tenant-a"),
    ):
        with pytest.raises(SealBroken):
            keys.unseal(broken, place)


def test_another_servers_key_file_opens_nothing(keys, path):
    with pytest.raises(SealBroken):
        KeyFile.open(path).unseal(keys.seal(b"x", b""), b"")


def test_keyed_digests_differ_by_purpose_and_by_how_the_parts_are_cut(keys):
    made = {
        keys.hmac(Purpose.API_KEY, "ab", "c"),
        keys.hmac(Purpose.API_KEY, "a", "bc"),
        keys.hmac(Purpose.API_KEY, "abc"),
        keys.hmac(Purpose.PLAN_TOKEN, "abc"),
    }
    assert len(made) == 4


def test_the_digest_of_an_api_key_covers_every_part(keys):
    first, second = (make_api_key("dev", new_id("ak", 1)) for _ in range(2))
    assert len(keys.digest_api_key(first)) == 32
    assert keys.digest_api_key(first) == keys.digest_api_key(first)
    mixed = [type(first)("prod", first.key_id, first.secret), type(first)("dev", second.key_id, first.secret)]
    assert len({keys.digest_api_key(each) for each in [first, second, *mixed]}) == 4


def test_nothing_shows_the_keys(path):
    keys = KeyFile.open(path)
    secrets = [*json.loads(path.read_text())["named"].values()]
    shown = repr(keys) + str(keys) + repr(keyfile.read_keys(path))
    assert not any(secret in shown for secret in secrets)
    assert "\\x" not in shown
