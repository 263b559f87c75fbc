"""Payload bytes: one address per tenant and content, compressed and sealed, and read within a bound."""

import os
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omium.errors import DatabaseCorrupt, SealBroken
from omium.jsonvalue import INLINE_BYTES, MAX_VALUE_BYTES
from omium.server.payloads import PackedPayload, pack, unpack
from omium.server.seal import KeyFile


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return KeyFile.open(tmp_path_factory.mktemp("keys") / "keys")


def open_again(keys, tenant, packed):
    return unpack(keys, tenant, packed.address, packed.encoding, packed.body)


@settings(max_examples=50)
@given(
    data=st.binary() | st.sampled_from([b"x" * (INLINE_BYTES + 1), os.urandom(INLINE_BYTES + 1)]),
    seal=st.booleans(),
)
def test_a_payload_comes_back(keys, data, seal):
    packed = pack(keys, "tn_a", data, seal=seal)
    assert open_again(keys, "tn_a", packed) == data
    assert packed.size_bytes == len(data)


def test_only_what_is_large_and_shrinks_is_compressed(keys):
    small, large, noise = b"x" * INLINE_BYTES, b"x" * (INLINE_BYTES + 1), os.urandom(INLINE_BYTES + 1)
    assert [pack(keys, "tn_a", each, seal=False).encoding for each in (small, large, noise)] == [
        "raw",
        "zlib",
        "raw",
    ]
    assert [pack(keys, "tn_a", each, seal=True).encoding for each in (small, large)] == [
        "sealed",
        "zlib+sealed",
    ]


def test_the_same_content_has_one_address_per_tenant_and_server(keys, tmp_path):
    def address(of=keys, tenant="tn_a", data=b"report", seal=False):
        return pack(of, tenant, data, seal=seal).address

    assert address() == address()
    others = {
        address(tenant="tn_b"),
        address(data=b"other"),
        address(seal=True),
        address(of=KeyFile.open(tmp_path / "k")),
    }
    assert len({address(), *others}) == 5


def test_a_sealed_payload_shows_nothing_and_cannot_be_moved(keys):
    packed = pack(keys, "tn_a", b"sk-secret", seal=True)
    assert b"sk-secret" not in packed.body
    other = pack(keys, "tn_a", b"other", seal=True)
    with pytest.raises(SealBroken):
        unpack(keys, "tn_b", packed.address, packed.encoding, packed.body)
    with pytest.raises(SealBroken):
        unpack(keys, "tn_a", other.address, packed.encoding, packed.body)


def test_a_row_that_was_changed_is_noticed(keys):
    packed = pack(keys, "tn_a", b"x" * (INLINE_BYTES + 1), seal=False)
    for encoding, body in (
        ("raw", b"changed"),
        ("raw", packed.body),
        ("zlib", b"no zlib"),
        ("zlib", packed.body[:-1]),
        ("zlib", packed.body + b"x"),
        ("zlib", zlib.compress(b"changed")),
        ("gzip", packed.body),
    ):
        with pytest.raises(DatabaseCorrupt):
            open_again(keys, "tn_a", PackedPayload(packed.address, encoding, body, 1))


def test_the_largest_value_is_read_and_a_bomb_is_not(keys):
    packed = pack(keys, "tn_a", b"x" * MAX_VALUE_BYTES, seal=True)
    assert len(open_again(keys, "tn_a", packed)) == MAX_VALUE_BYTES
    bomb = zlib.compress(b"x" * (MAX_VALUE_BYTES * 8))
    tracemalloc.start()
    with pytest.raises(DatabaseCorrupt):
        unpack(keys, "tn_a", packed.address, "zlib", bomb)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 3 * MAX_VALUE_BYTES
