"""The warnings about credits: each once per process, whatever the number of replies that say so."""

import sys

from omium.sdk.credit_watch import REMAINING, WARNING, CreditWatch

LOW = {WARNING: "low", REMAINING: "12.5"}


def test_low_credits_are_told_once(monkeypatch, capsys):
    monkeypatch.setattr("sys.__stderr__", sys.stderr)
    watch = CreditWatch()
    watch.note(200, {REMAINING: "12.5"})
    assert not capsys.readouterr().err
    for _ in range(3):
        watch.note(200, LOW)
    assert capsys.readouterr().err == (
        "omium: Your credits are low: 12.5 remain. Top up with: omium credits topup 20\n"
    )


def test_an_answer_counts_although_nobody_reads_the_warning(monkeypatch, tmp_path):
    closed = (tmp_path / "stderr").open("w")
    closed.close()
    monkeypatch.setattr("sys.__stderr__", closed)
    watch = CreditWatch()
    watch.note(200, LOW)
    watch.note(402, LOW)
    assert (watch.low, watch.exhausted) == (True, True)


def test_exhausted_credits_are_told_once_and_beside_the_low_ones(monkeypatch, capsys):
    monkeypatch.setattr("sys.__stderr__", sys.stderr)
    watch = CreditWatch()
    watch.note(200, LOW)
    for _ in range(2):
        watch.note(402, LOW)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "omium credits balance" in told[1]
