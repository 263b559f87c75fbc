"""`omium doctor --chaos`: it finds nothing where nothing is wrong, and finds what is planted."""

import json
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import typer

from omium.cli.chaos import _configured_database, run_chaos
from omium.cli.output import Output
from omium.errors import ConfigError
from omium.testing import chaos, scratch, scratch_postgres
from omium.testing.chaos import Accident, Plan, play
from omium.testing.forgetful_disk import Unavailable
from omium.testing.processes import ProcessFailed, Programs
from omium.testing.scratch import make_scratch
from tests.cli.conftest import make_cli

ROOT = Path(__file__).resolve().parents[2]
KILLS = (Accident.POWER_CUT, Accident.SERVER_KILLED, Accident.ALL_KILLED)
BROKEN = (sys.executable, str(Path(__file__).with_name("broken_server.py")))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = make_scratch(tmp_path / "data")
    yield made
    made.remove()


@pytest.fixture
def memory_path():
    """A folder on a disk in memory, if there is one: there agents would do the most until an accident."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


def test_every_accident_once_loses_nothing_and_leaves_nothing(tmp_path, memory_path, monkeypatch):
    monkeypatch.setattr("tests.cli.conftest.TIMEOUT_S", 500)  # on a machine that has much else to do
    cli = make_cli(tmp_path, OMIUM_BASE_URL="http://127.0.0.1:1")

    done = cli(
        "doctor", "--chaos", "--rounds", "5", "--seed", "3", "--json", "--data", str(memory_path / "data")
    )

    assert done.code == 0, done.out + done.err
    report = done.json
    assert report["ok"]
    assert report["accidents"] == {each.value: 1 for each in Accident}
    assert report["lost"] == report["effects_doubled"] == report["effects_missing"] == []
    assert report["problems"] == report["unfinished"] == report["not_tried"] == []
    assert report["acknowledged"] == 4 * report["executions"] > 0
    assert report["effects"] == report["executions"] <= 6 * (chaos.ORDERS_A_ROUND + 8), "it is bounded"
    assert (report["database"], report["database_kept"]) == ("SQLite", None)
    assert "--seed 3 --rounds 5" in report["again"]
    assert done.err.count("nothing lost") == 5
    assert f"Comparing all that was acknowledged, of {report['executions']:,} executions." in done.err
    assert list(memory_path.glob("omium-chaos-*")) == []


@pytest.mark.postgres
def test_a_trial_on_postgres_makes_a_database_drops_it_and_touches_no_other(
    folder, postgres_url, monkeypatch, capsys
):
    monkeypatch.setenv("OMIUM_DATABASE_URL", postgres_url)
    monkeypatch.setenv("OMIUM_DATA_DIR", str(folder.data))
    monkeypatch.setattr(chaos, "ORDERS_A_ROUND", 40)
    before = measure_postgres(postgres_url)

    run_chaos(Output(as_json=True), data=None, rounds=2, seconds=None, seed=3, keep=False)

    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert report["ok"], report
    assert report["database"].startswith("PostgreSQL 1")
    assert report["acknowledged"] > 0
    assert report["database_kept"] is None
    assert [sentence.partition(":")[0] for sentence in report["not_tried"]] == [
        "power cuts",
        "the end of PostgreSQL itself",
    ]
    assert "there a database omium_chaos_" in shown.err
    assert postgres_url not in shown.out + shown.err, "it may hold a password"
    assert measure_postgres(postgres_url) == before
    assert list(folder.folder.glob("omium-chaos-*")) == []


def measure_postgres(url):
    """Return the names of a server's databases, and what was ever written into the one of `url`."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT array_agg(datname ORDER BY datname) FROM pg_database").fetchone()
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            for table in ("tenants", "executions")
        ]
    return names, counts


@pytest.mark.postgres
def test_a_trials_database_is_anew_each_time_and_dropped_once(tmp_path, postgres_url):
    made = make_scratch(tmp_path / "data", postgres_url)
    before = measure_postgres(postgres_url)
    assert made.database.name in before[0][0]
    assert (made.database.url in repr(made), postgres_url in repr(made)) == (False, False)

    with psycopg.connect(made.database.url):  # a server that was killed may still be there
        made.remove()
    made.remove()

    assert made.database.name not in measure_postgres(postgres_url)[0][0]


@pytest.mark.postgres
def test_a_user_who_may_not_make_databases_is_told_so(tmp_path, postgres_server, postgres_url):
    postgres_server.execute("DROP ROLE IF EXISTS guest")
    postgres_server.execute("CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(ConfigError, match=r"ALTER ROLE \.\.\. CREATEDB"):
            make_scratch(tmp_path / "data", postgres_url.replace("omium@", "guest@"))
    finally:
        postgres_server.execute("DROP ROLE guest")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://localhost:1/none", "cannot be used"),
        ("mysql://localhost/none", "begins with postgresql://"),
    ],
)
def test_a_database_that_cannot_be_made_is_told_and_leaves_no_folder(tmp_path, url, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_scratch(tmp_path / "data", url)
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_database_is_reached_as_the_named_one_is():
    beside = "postgresql://ada:s%40crt@a,b:5432/orders?sslmode=require&host=/run/pg"

    parts = psycopg.conninfo.conninfo_to_dict(scratch_postgres._url_of(beside, "omium_chaos_1"))

    assert parts == {**psycopg.conninfo.conninfo_to_dict(beside), "dbname": "omium_chaos_1"}


def test_a_named_data_folder_is_tried_with_the_database_in_it(tmp_path, monkeypatch):
    monkeypatch.setenv("OMIUM_DATABASE_URL", "postgresql://localhost/orders")

    assert _configured_database(None) == "postgresql://localhost/orders"
    assert _configured_database(tmp_path) is None


def test_a_server_that_does_not_sync_each_commit_is_found_out_by_a_power_cut(folder):
    programs = Programs(forgetful_server=(*BROKEN, "no-full-sync"))

    plan = Plan(rounds=20, seed=1, accidents=(Accident.POWER_CUT,))
    report = play(folder, plan, programs=programs, told=lambda _: None)

    assert not report.ok
    assert report.lost
    assert sum(each.forgotten for each in report.rounds) > 0


def test_a_server_that_acknowledges_before_it_commits_is_found_out_and_reported(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    programs = Programs(server=(*BROKEN, "acknowledge-before-commit"))
    data = tmp_path / "data"

    with pytest.raises(typer.Exit) as ended:
        run_chaos(Output(), data=data, rounds=20, seconds=None, seed=1, keep=False, programs=programs)

    shown = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert "Lost: ex_" in shown.out
    assert "Promises were broken." in shown.out
    assert f"Again: omium doctor --chaos --seed 1 --rounds 20 --data {data}" in shown.err
    (kept,) = tmp_path.glob("omium-chaos-*")
    assert (kept / "acknowledged.jsonl").exists()
    assert shown.err.count("nothing lost") < 19, "it stops at the first loss"
    assert f"kept in {kept}" in shown.err


def test_a_server_that_does_not_come_back_is_reported(folder):
    (folder.folder / "once.py").write_text(
        "import os, sys\n"
        "if os.path.exists(sys.argv[1]): sys.exit('no second time')\n"
        "open(sys.argv[1], 'w').close()\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'omium', 'serve'])\n"
    )
    programs = Programs(
        server=(sys.executable, str(folder.folder / "once.py"), str(folder.folder / "started"))
    )

    report = play(folder, Plan(rounds=3, seed=1, threads=1), programs=programs, told=lambda _: None)

    assert not report.ok
    assert "did not start again" in report.problems[0]
    assert "no second time" in folder.log.read_text()


def test_where_sqlite_cannot_be_reached_power_cuts_are_said_to_be_untried(folder, monkeypatch):
    def refuse():
        raise Unavailable("it is built into Python")

    monkeypatch.setattr(chaos, "load_library", refuse)

    report = play(folder, Plan(rounds=0, threads=1), told=lambda _: None)

    assert report.not_tried == ["power cuts: it is built into Python"]


def test_no_round_begins_after_its_time(folder):
    report = play(folder, Plan(rounds=1000, seconds=0.001, threads=1), told=lambda _: None)

    assert (report.rounds, report.ok) == ([], True)


def test_a_scratch_folder_lies_on_the_disk_that_is_tried(tmp_path, monkeypatch):
    made = make_scratch(tmp_path / "not" / "there" / "yet")

    assert made.folder.parent == tmp_path
    assert made.folder.stat().st_mode & 0o777 == 0o700
    made.remove()
    monkeypatch.setattr(scratch, "FREE_MIN_BYTES", 2**62)
    with pytest.raises(ConfigError, match="free some space"):
        make_scratch(tmp_path / "data")


@pytest.mark.parametrize("option", [["--rounds", "3"], ["--seed", "1"], ["--keep"], ["--seconds", "5"]])
def test_options_of_chaos_need_chaos(tmp_path, option):
    done = make_cli(tmp_path)("doctor", *option)

    assert done.code == 2
    assert "--chaos" in done.err
    assert json.dumps(done.out) == '""'


def test_nothing_acknowledged_is_a_failure_of_its_own(folder, monkeypatch):
    monkeypatch.setattr(chaos, "PROGRESS_WITHIN_S", 0.0)
    monkeypatch.setattr(chaos.AgentsProcess, "is_running", property(lambda _self: True))
    monkeypatch.setattr(chaos.evidence, "count", lambda _scratch: 0)

    with pytest.raises(ProcessFailed, match="nothing was acknowledged"):
        chaos._Trial(folder, Plan(), Programs(), lambda _: None)._wait_for_progress(10)
