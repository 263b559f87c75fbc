"""`omium doctor --chaos`: it finds nothing where nothing is wrong, and finds what is planted."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from omium.cli.chaos import run_chaos
from omium.cli.output import Output
from omium.errors import ConfigError
from omium.testing import chaos, scratch
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
def disk_path():
    """A folder on a disk: in memory agents do ten times as much until an accident, all to be looked at."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_every_accident_once_loses_nothing_and_leaves_nothing(tmp_path, disk_path):
    cli = make_cli(tmp_path, OMIUM_BASE_URL="http://127.0.0.1:1")

    done = cli(
        "doctor", "--chaos", "--rounds", "5", "--seed", "3", "--json", "--data", str(disk_path / "data")
    )

    assert done.code == 0, done.out + done.err
    report = done.json
    assert report["ok"]
    assert report["accidents"] == {each.value: 1 for each in Accident}
    assert report["lost"] == report["effects_doubled"] == report["effects_missing"] == []
    assert report["problems"] == report["unfinished"] == report["not_tried"] == []
    assert report["acknowledged"] == 4 * report["executions"] > 0
    assert report["effects"] == report["executions"]
    assert "--seed 3 --rounds 5" in report["again"]
    assert done.err.count("nothing lost") == 5
    assert list(disk_path.glob("omium-chaos-*")) == []


@pytest.mark.postgres
def test_a_trial_on_postgres_kills_what_it_may_and_uses_no_database_of_anybody(folder, postgres_url):
    here = replace(folder, database_url=postgres_url)

    report = play(here, Plan(rounds=2, seed=3, accidents=KILLS), told=lambda _: None)

    assert report.ok, report
    assert [each.accident for each in report.rounds] == [Accident.SERVER_KILLED, Accident.ALL_KILLED]
    assert report.not_tried == ["power cuts: the files are PostgreSQL's own"]
    assert not (here.data / "omium.sqlite").exists()
    with pytest.raises(ConfigError, match="is not empty; make one for this alone"):
        make_scratch(folder.data, postgres_url)


def test_a_database_that_is_not_there_is_named(folder):
    with pytest.raises(ConfigError, match=r"of --database-url cannot be used"):
        make_scratch(folder.data, "postgresql://localhost:1/none")


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

    with pytest.raises(ProcessFailed, match="Nothing was acknowledged"):
        chaos._Trial(folder, Plan(), Programs(), lambda _: None)._wait_for_progress()
