"""`omium doctor`: each thing that can be wrong with a database, its disk and its settings has a remedy."""

import os
import time

import pytest

from omium.cli.checks_database import check_database_file, check_postgres, judge_postgres
from omium.cli.checks_disk import Mount, Syncs, duration, find_mount, judge_durability, measure_syncs
from omium.cli.checks_settings import check_server_settings
from omium.server.db.sqlite_connection import connect_writer

USUAL = Syncs(0.002, 0.009)


@pytest.fixture
def folder(tmp_path):
    """A data folder as a stopped server leaves it."""
    made = tmp_path / "data"
    (made / "backups").mkdir(parents=True)
    connection = connect_writer(made / "omium.sqlite", 1)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    (made / "keys.json").write_text("{}")
    (made / "backups" / "monday").write_bytes((made / "omium.sqlite").read_bytes())
    (made / "backups" / "monday.audit.jsonl").write_text("")
    for path in (made, *made.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return made


def by_name(findings):
    return {each.name: each for each in findings}


def test_a_sound_data_folder_is_found_sound(folder):
    found = by_name(check_database_file(folder))

    assert {each.level for each in found.values()} == {"ok"}
    assert set(found) == {"Data folder", "Database", "Backups"}


def test_missing_keys_are_a_failure_that_says_where_they_come_from(folder):
    (folder / "keys.json").unlink()

    keys = by_name(check_database_file(folder))["Keys"]

    assert keys.level == "fail"
    assert "--keys" in keys.remedy


def test_a_file_that_is_no_database_or_lost_its_log_mode_is_a_failure(folder):
    file = folder / "omium.sqlite"
    content = bytearray(file.read_bytes())
    content[18:20] = b"\x01\x01"
    file.write_bytes(content)
    assert "not in WAL mode" in by_name(check_database_file(folder))["Database"].detail

    file.write_bytes(b"something else" * 100)
    database = by_name(check_database_file(folder))["Database"]
    assert (database.level, database.remedy) == ("fail", "omium db restore BACKUP")


def test_a_log_that_only_grows_and_an_old_backup_are_warnings(folder):
    with (folder / "omium.sqlite-wal").open("wb") as log:
        log.truncate(600 * 2**20)
    (folder / "omium.sqlite-wal").chmod(0o600)
    old = time.time() - 30 * 86_400
    os.utime(folder / "backups" / "monday", (old, old))

    found = by_name(check_database_file(folder))

    assert found["Database"].level == found["Backups"].level == "warn"
    assert found["Backups"].detail.startswith("1, the newest 30 d old")


def test_much_free_space_inside_the_file_is_worth_a_word(folder):
    file = folder / "omium.sqlite"
    content = bytearray(file.read_bytes())
    content[36:40] = (400 * 2**20 // 4096).to_bytes(4, "big")
    file.write_bytes(content)

    database = by_name(check_database_file(folder))["Database"]

    assert (database.level, "omium db compact" in database.remedy) == ("warn", True)
    assert "400 MiB" in database.detail


@pytest.mark.parametrize(
    ("mount", "syncs", "preloaded", "level", "word"),
    [
        (Mount("ext4"), USUAL, "", "ok", "2.0 ms"),
        (Mount("ext4", frozenset({"rw", "nobarrier"})), USUAL, "", "fail", "nobarrier"),
        (Mount("overlay", frozenset({"volatile"})), USUAL, "", "fail", "does not reach the disk"),
        (Mount("tmpfs"), USUAL, "", "warn", "in memory"),
        (Mount("nfs4"), USUAL, "", "warn", "network"),
        (Mount("ext4"), USUAL, "/usr/lib/libeatmydata.so", "fail", "leaves syncs out"),
        (Mount("ext4"), Syncs(3e-6, 5e-6), "", "warn", "faster than disks write"),
        (Mount("ext4"), Syncs(0.3, 0.8), "", "warn", "as slow"),
        (Mount(), USUAL, "", "ok", "a sync takes"),
    ],
)
def test_durability_is_judged_by_all_that_can_be_seen(tmp_path, mount, syncs, preloaded, level, word):
    found = judge_durability(tmp_path, mount, syncs, preloaded)

    assert (found.level, found.name) == (level, "Durability")
    assert word in found.detail
    assert bool(found.remedy) == (level != "ok")


def test_syncs_are_measured_without_leaving_anything(tmp_path):
    syncs = measure_syncs(tmp_path)

    assert 0 < syncs.median_s <= syncs.slowest_s
    assert list(tmp_path.iterdir()) == []


def test_the_mount_of_a_folder_is_the_deepest_one(tmp_path):
    mounts = tmp_path / "mounts"
    inner = tmp_path / "with blank"
    inner.mkdir()
    at = str(inner).replace(" ", "\\040")
    mounts.write_text(f"a / ext4 rw 0 0\nb {at} xfs rw,nobarrier 0 0\nc {at}er zfs rw 0 0\n")

    assert find_mount(inner / "data", mounts) == Mount("xfs", frozenset({"rw", "nobarrier"}))
    assert find_mount(tmp_path, mounts).kind == "ext4"
    assert find_mount(tmp_path, tmp_path / "none") == Mount()


@pytest.mark.parametrize(
    ("seconds", "text"), [(14e-6, "14 µs"), (0.0006, "0.6 ms"), (0.0234, "23 ms"), (1.2, "1200 ms")]
)
def test_a_duration_has_the_digits_that_matter(seconds, text):
    assert duration(seconds) == text


def test_postgres_without_fsync_is_a_failure():
    settings = {"fsync": "off", "full_page_writes": "on", "server_version": "15.1"}

    (found,) = judge_postgres(settings, 0.2)

    assert (found.level, found.remedy) == ("fail", "Set fsync = on in postgresql.conf")
    sound = list(judge_postgres({**settings, "fsync": "on"}, -90.0))
    assert [each.level for each in sound] == ["ok", "warn"]
    assert "behind" in sound[1].detail


def test_a_running_postgres_is_asked(postgres_url):
    found = list(check_postgres({"OMIUM_DATABASE_URL": postgres_url}))

    assert {each.name for each in found} == {"PostgreSQL"}, "its clock is this machine's"
    assert all("connection" not in each.detail for each in found)


def test_a_postgres_that_is_away_is_a_failure_without_its_password():
    (found,) = check_postgres({"OMIUM_DATABASE_URL": "postgresql://omium:hunter2@127.0.0.1:1/omium"})

    assert found.level == "fail"
    assert "hunter2" not in found.detail


def test_settings_are_read_as_the_server_would(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OMIUM_")]:
        monkeypatch.delenv(name)
    assert list(check_server_settings()) == []
    monkeypatch.setenv("OMIUM_PORT", "many")
    (wrong,) = check_server_settings()
    assert (wrong.level, "OMIUM_PORT" in wrong.detail) == ("fail", True)
    monkeypatch.setenv("OMIUM_PORT", "9000")
    (right,) = check_server_settings()
    assert right.level == "ok"
