"""The trial that users run on their own machines: `omium doctor --chaos`, for long.

That it finds planted bugs is tested in tests/testing/test_chaos.py, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from omium.testing.chaos import Plan, play
from omium.testing.processes import Programs
from omium.testing.scratch import make_scratch

ROOT = Path(__file__).resolve().parents[2]
BROKEN = ROOT / "tests" / "testing" / "broken_server.py"


@pytest.mark.timeout(900)
@pytest.mark.gate(
    promise="Nothing that agents were told is safe is lost, and no effect of theirs happens twice",
    fault="`omium doctor --chaos`: server, agents or both killed, power cut within a write, at random",
)
def test_agents_lose_nothing_whatever_is_killed(gate, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    scratch = make_scratch(tmp_path / "data")
    rounds = gate.rounds(2, 500)

    def tell(done):
        gate.tried(1, "accidents")
        gate.show_progress(done.number, rounds)
        gate.figure("ready again after", round(done.ready_s or 0.0, 1), "s")

    report = play(
        scratch, Plan(rounds=rounds, seconds=gate.long_s if gate.torture else None, seed=gate.seed), told=tell
    )

    for broken in (report.lost, report.effects_doubled, report.effects_missing, report.unfinished):
        gate.lost(len(broken), "; ".join(broken[:3]))
    assert report.problems == []
    assert report.acknowledged > 0
    scratch.remove()


@pytest.mark.planted(
    bug="The server answers, and commits when it has time",
    gate="test_agents_lose_nothing_whatever_is_killed",
)
def test_the_trial_catches_an_answer_before_the_commit(trial, tmp_path, monkeypatch, long_only):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    scratch = make_scratch(tmp_path / "data")
    programs = Programs(server=(sys.executable, str(BROKEN), "acknowledge-before-commit"))

    report = play(
        scratch, Plan(rounds=20, seed=1), programs=programs, told=lambda _: trial.tried(1, "accidents")
    )

    trial.lost(len(report.lost), "; ".join(report.lost[:3]))
    scratch.remove()
