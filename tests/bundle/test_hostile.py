"""Bundles that are none: what a stranger sends is refused in a sentence, and nothing of it happens."""

import asyncio
import hashlib
import io
import json
import os
import random
import struct
import tracemalloc
import zipfile

import pytest

from omium.bundle import BundleClient, SyncBundleClient, limits, manifest, open_bundle, write_bundle
from omium.bundle.manifest import Manifest, Part, content_digest
from omium.errors import BundleDamaged, BundleError, BundleTooNew, NotInBundle
from tests.bundle.recorded import record
from tests.serverfixture import open_app_client, test_settings

DATE = (1980, 1, 1, 0, 0, 0)


def entry(name: str, *, stored: bool = False) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, DATE)
    made.create_system, made.external_attr = 3, 0o600 << 16
    made.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    return made


def pack(parts: dict[str, bytes], *, comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", allowZip64=False) as archive:
        for name, data in parts.items():
            archive.writestr(entry(name), data)
        archive.comment = comment
    return file.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sign(parts: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    """Return the parts with a manifest that fits them, as whoever forges one would."""
    known = Manifest.model_validate_json(parts[manifest.NAME])
    rest = {name: data for name, data in parts.items() if name != manifest.NAME}
    listed = [
        Part.model_construct(
            name=name,
            items=data.count(b"\n") if name.endswith(".jsonl") else 1,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        for name, data in rest.items()
    ]
    fitting = known.model_copy(update={"parts": listed, "content_sha256": content_digest(listed)} | changes)
    return {**rest, manifest.NAME: fitting.model_dump_json().encode()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle's bytes, and the id of the execution in it: made once, since nobody changes it."""
    folder = tmp_path_factory.mktemp("made")

    async def make() -> tuple[bytes, str]:
        async with open_app_client(test_settings(folder)) as app:
            recorded = await record(app)
            async with recorded.client() as client:
                await write_bundle(client, recorded.id, folder / "made.omium", with_children=True)
        return (folder / "made.omium").read_bytes(), recorded.id

    return asyncio.run(make())


@pytest.fixture
def good(made):
    return made[0]


@pytest.fixture
def attempt(tmp_path):
    """Open what is given as a bundle and read all of it."""

    def try_(data: bytes) -> None:
        path = tmp_path / "strange.omium"
        path.write_bytes(data)
        with open_bundle(path) as bundle:
            bundle.verify()

    return try_


def test_what_a_forger_makes_of_good_parts_opens(good, attempt):
    """The other tests here would prove nothing if what they change could not be opened at all."""
    assert unpack(pack(unpack(good))) == unpack(good)
    attempt(good)
    attempt(pack(unpack(good)))
    attempt(pack(sign(unpack(good))))


def test_a_truncated_bundle_is_refused_wherever_it_ends(good, attempt):
    for length in {0, 1, 21, 22, 100, len(good) // 2, len(good) - 22, len(good) - 1}:
        with pytest.raises(BundleDamaged, match="cut off"):
            attempt(good[:length])


def test_no_altered_byte_is_overlooked(good, attempt):
    """But for the ones that say nothing: times and versions of the zip's own bookkeeping."""
    chosen = random.Random(7)
    known = unpack(good)
    overlooked = 0
    for _ in range(300):
        at = chosen.randrange(len(good))
        altered = bytearray(good)
        altered[at] ^= 1 << chosen.randrange(8)
        try:
            attempt(bytes(altered))
        except BundleError:
            continue
        assert unpack(bytes(altered)) == known
        overlooked += 1
    assert overlooked < 60


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "e0001/../../x.json",
        "..\\..\\x.json",
        "C:x.json",
        "E0001/execution.json",
        "e0001/" + "a" * 200 + ".json",
        "e0001/\x1b[31m.json",
        "e0001/a/b/c.json",
        "link.sh",
    ],
)
def test_a_name_that_leads_anywhere_is_refused(good, attempt, tmp_path, name):
    with pytest.raises(BundleDamaged) as refused:
        attempt(pack({**unpack(good), name: b"{}"}))

    assert "\x1b" not in str(refused.value)
    assert {path.name for path in tmp_path.iterdir()} >= {"strange.omium"}


def test_a_name_that_two_programs_read_differently_is_refused(good, attempt):
    """A name with a NUL ends there for some, and not for others."""
    data = pack({**unpack(good), "e0001/executionX.json": b"{}"})

    with pytest.raises(BundleDamaged):
        attempt(data.replace(b"executionX", b"execution\x00"))


def test_a_bomb_is_refused_before_it_is_unpacked(good, attempt):
    bomb = b"0" * (limits.PART_BYTES_MAX + 1)
    data = pack(sign({**unpack(good), "bomb.json": bomb}))
    del bomb
    tracemalloc.start()
    try:
        with pytest.raises(BundleDamaged, match="more than a bundle ever holds"):
            attempt(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * limits.MIB
    finally:
        tracemalloc.stop()


def test_a_list_of_millions_of_empty_lines_is_refused(good, attempt):
    """Small when it is unpacked, and large when it is read: every item takes far more than its line feed."""
    name = "e0001/steps/0001.jsonl"
    parts = {**unpack(good), name: b"\n" * (limits.LIST_ITEMS_MAX + 1)}
    with pytest.raises(BundleDamaged, match="manifest cannot be read"):
        attempt(pack(sign(parts)))
    with pytest.raises(BundleDamaged, match="more than a bundle ever holds"):
        attempt(pack(sign({**parts, name: b"\n" * (limits.LIST_BYTES_MAX + 1)})))


def test_a_part_that_unpacks_to_more_than_it_says_is_refused(good, attempt):
    """The table of contents says 100 bytes; what is packed there is 10 MiB of them."""
    parts = unpack(good)
    parts["bomb.json"] = b"0" * 10 * limits.MIB
    data = pack(sign({**parts, "bomb.json": b"0" * 100})), pack(parts)
    at = data[1].rindex(b"bomb.json") - 46  # its entry of the table of contents
    assert data[1][at : at + 4] == b"PK\x01\x02"
    lying = bytearray(data[1])
    lying[at + 24 : at + 28] = struct.pack("<L", 100)

    with pytest.raises(BundleDamaged):
        attempt(bytes(lying))


def test_a_size_that_no_packing_reaches_is_refused(good, attempt):
    data = bytearray(good)
    at = data.rindex(b"manifest.json") - 46
    data[at + 24 : at + 28] = struct.pack("<L", limits.MANIFEST_BYTES_MAX)

    with pytest.raises(BundleDamaged, match="more than a bundle ever holds"):
        attempt(bytes(data))


def test_entries_that_share_their_bytes_are_refused(good, attempt):
    """The trick of bombs that unpack to a thousand times what DEFLATE can: many entries, one body."""
    parts = unpack(good)
    data = pack(sign({**parts, "one.json": b"0" * 1000, "two.json": b"0" * 1000}))
    one, two = (data.rindex(name) - 46 for name in (b"one.json", b"two.json"))
    shared = bytearray(data)
    shared[two + 42 : two + 46] = shared[one + 42 : one + 46]  # where its header is

    with pytest.raises(BundleDamaged, match="not stored as a bundle stores"):
        attempt(bytes(shared))


def test_a_table_of_contents_that_promises_millions_is_not_read(good, attempt):
    data = bytearray(good)
    data[-14:-10] = struct.pack("<HH", 65_000, 65_000)
    with pytest.raises(BundleDamaged, match="more parts"):
        attempt(bytes(data))
    data[-14:-10] = struct.pack("<HH", 0xFFFF, 0xFFFF)
    with pytest.raises(BundleDamaged, match="larger kind of zip"):
        attempt(bytes(data))


def test_the_64_bit_form_is_refused_also_where_it_hides(good, attempt):
    """Its locator stands before the end, and the standard library follows it to other numbers."""
    (size,) = struct.unpack("<L", good[-10:-6])
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)

    with pytest.raises(BundleDamaged, match="larger kind of zip"):
        attempt(good[:-22] + locator + good[-22:-10] + struct.pack("<L", size + len(locator)) + good[-6:])


def test_something_in_front_behind_or_between_is_refused(good, attempt):
    for strange in (b"#!/bin/sh\n" + good, good + b"\n", pack(unpack(good), comment=b"c")):
        with pytest.raises(BundleDamaged):
            attempt(strange)


def test_an_encrypted_part_and_another_packing_are_refused(good, attempt):
    for at, value in ((8, 0x1), (8, 0x8), (10, zipfile.ZIP_LZMA), (10, zipfile.ZIP_BZIP2)):
        data = bytearray(good)
        start = data.rindex(b"manifest.json") - 46
        data[start + at : start + at + 2] = struct.pack("<H", value)
        with pytest.raises(BundleDamaged):
            attempt(bytes(data))


def test_two_parts_of_one_name_are_refused(good, attempt):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in unpack(good).items():
            archive.writestr(entry(name), data)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(entry(manifest.NAME), b"{}")

    with pytest.raises(BundleDamaged, match="twice"):
        attempt(file.getvalue())


def test_an_altered_part_is_told_by_its_digest(good, attempt):
    parts = unpack(good)
    name = next(name for name in parts if "/steps/" in name)
    parts[name] = parts[name].replace(b"completed", b"cancelled")

    with pytest.raises(BundleDamaged, match=f"{name} was altered"):
        attempt(pack(parts))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2, "omium": "9.0.0"}, "newer Omium .'9.0.0'"),
        ({"version": 0}, "not one of a bundle"),
        ({"format": "other"}, "not one of a bundle"),
        ({"execution_id": "ex_unknown"}, "promises something"),
        ({"content_sha256": "0" * 64}, "manifest was altered"),
        ({"version": "x"}, "cannot be read"),
        ({"executions": []}, "cannot be read"),
        ({"failures": [{"id": "f", "folder": "../..", "executions": []}]}, "cannot be read"),
    ],
)
def test_a_manifest_that_is_none_of_this_version_is_refused(good, attempt, change, words):
    parts = unpack(good)
    parts[manifest.NAME] = json.dumps(json.loads(parts[manifest.NAME]) | change).encode()

    with pytest.raises(BundleTooNew if change.get("version") == 2 else BundleDamaged, match=words):
        attempt(pack(parts))


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"format":'])
def test_a_manifest_that_is_no_json_is_refused(good, attempt, text):
    with pytest.raises(BundleDamaged, match="manifest"):
        attempt(pack({**unpack(good), manifest.NAME: text}))


def test_a_missing_and_a_further_part_are_refused(good, attempt):
    parts = unpack(good)
    with pytest.raises(BundleDamaged, match="other parts"):
        attempt(pack({name: data for name, data in parts.items() if name != "e0001/execution.json"}))
    with pytest.raises(BundleDamaged, match="other parts"):
        attempt(pack({**parts, "further.json": b"{}"}))
    with pytest.raises(BundleDamaged, match="no manifest"):
        attempt(pack({name: data for name, data in parts.items() if name != manifest.NAME}))


@pytest.mark.parametrize(
    "line", [b"null", b"[]", b"{}", b'{"key":1}', b"not json", b"[" * 50_000, b'{"a":1e999}', b"\xff"]
)
def test_a_forged_line_is_refused_where_it_is_read(made, tmp_path, line):
    """Its digest fits: whoever can change a part can change the manifest. A digest is no signature."""
    good, execution_id = made
    parts = unpack(good)
    parts["e0001/steps/0001.jsonl"] = line + b"\n"
    path = tmp_path / "forged.omium"
    path.write_bytes(pack(sign(parts)))

    with SyncBundleClient(open_bundle(path)) as client:
        for ask in (
            lambda: client.list_steps(execution_id),
            lambda: client.get_execution(execution_id),
        ):
            with pytest.raises(BundleDamaged):
                ask()
        with pytest.raises((BundleDamaged, NotInBundle)):
            client.get_step_value(execution_id, path="s0")


@pytest.mark.parametrize(
    "line",
    [
        '{"seq":1}'.encode("utf-16-be"),
        b'{"seq":1,"a":"\xed\xa0\x80"}',
        b'{"seq":1}',
    ],
)
async def test_a_forged_event_is_refused_where_events_are_followed(made, tmp_path, line):
    good, execution_id = made
    parts = unpack(good)
    parts["e0001/events/0001.jsonl"] = line + b"\n"
    path = tmp_path / "forged.omium"
    path.write_bytes(pack(sign(parts)))

    async with BundleClient(open_bundle(path)) as client:
        with pytest.raises(BundleDamaged):
            async for _ in client.stream_execution_events(execution_id):
                break


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "nothing"):
        with pytest.raises(BundleError):
            open_bundle(path)


def test_a_file_that_is_larger_than_any_bundle_is_not_read(tmp_path):
    path = tmp_path / "huge.omium"
    with path.open("wb") as file:
        file.truncate(limits.FILE_BYTES_MAX + 1)

    with pytest.raises(BundleDamaged, match="larger than any bundle"):
        open_bundle(path)
