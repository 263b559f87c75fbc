"""The gates' options, fixtures and reports; tests/conftest.py takes the options, faults/conftest.py the rest.

    pytest tests/faults                                  the short forms, as in `make test`
    pytest tests/faults --torture --torture-scale 0.1    a tenth of the long forms
    pytest tests/faults --torture --torture-minutes 0    all rounds of them, for a day or more
    pytest tests/faults/test_x.py::test_y --seed 7       the same choices again

Every test with the fixture `gate` or `trial` leaves a JSON file in --torture-report.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.gate import Gate

TIMEOUT_S = 600
LONG_TIMEOUT_S = 48 * 3_600  # a gate that hangs: how long it takes is --torture-minutes
LONG_MINUTES = 30.0
_GATE = pytest.StashKey[Gate]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults", "gates against faults (tests/faults)")
    group.addoption("--torture", action="store_true", help="the long forms, hours of them")
    group.addoption("--torture-scale", type=float, default=1.0, help="this share of the long forms' rounds")
    group.addoption(
        "--torture-minutes",
        type=float,
        default=LONG_MINUTES,
        help=f"a long form begins no round after so long ({LONG_MINUTES:g}); 0: it tries all of its rounds",
    )
    group.addoption("--torture-report", type=Path, help="folder of the reports (.torture/long or /short)")
    group.addoption("--seed", type=int, help="what a failing gate has printed")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed is None:  # set before xdist copies the options to its workers
        config.option.seed = random.SystemRandom().randrange(1_000_000)


def find_report_folder(config: pytest.Config) -> Path:
    """Return where reports go: a short run must not take the place of a long one."""
    option = config.option
    return option.torture_report or config.rootpath / ".torture" / ("long" if option.torture else "short")


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed of the gates: {config.option.seed}"


def lengthen_timeouts(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give gates the time they need on a busy machine, and the long forms theirs."""
    for item in items:
        if item.get_closest_marker("gate") is None:
            continue
        if config.option.torture:  # before the test's own, which is for its short form
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S), append=False)
        elif item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def make_gate(request: pytest.FixtureRequest, *, planted: bool) -> Gate:
    option = request.config.option
    node: pytest.Item = request.node
    marker = node.get_closest_marker("planted" if planted else "gate")
    if marker is None:
        raise pytest.UsageError(f"{node.nodeid} needs @pytest.mark.{'planted' if planted else 'gate'}(...)")
    torture = option.torture and not planted
    arguments = f" --torture --torture-scale {option.torture_scale:g}" if torture else ""
    gate = Gate(
        node.nodeid,
        promise="" if planted else marker.kwargs["promise"],
        fault=marker.kwargs["gate"] if planted else marker.kwargs["fault"],
        seed=option.seed,
        torture=torture,
        scale=option.torture_scale,
        long_s=option.torture_minutes * 60 or None,
        bug=marker.kwargs["bug"] if planted else None,
        rerun=f"Again: .venv/bin/pytest '{node.nodeid}' --seed {option.seed}{arguments}",
    )
    gate.say = lambda line: _say(request.config, line)
    node.stash[_GATE] = gate
    return gate


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Gate:
    """What a gate counts with; the test fails when anything is lost or nothing was tried."""
    return make_gate(request, planted=False)


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Gate:
    """The same on a planted bug: always the short form, and the test fails when nothing is lost."""
    return make_gate(request, planted=True)


@pytest.fixture
def long_only(request: pytest.FixtureRequest) -> None:
    """For a planted bug that takes long to be found: tried with --torture only."""
    if not request.config.option.torture:
        pytest.skip("takes long: make torture")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    result = yield
    if (gate := pyfuncitem.stash.get(_GATE, None)) is not None:
        gate.conclude()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    gate = item.stash.get(_GATE, None)
    if gate is not None and call.when == "call" and not report.skipped:
        gate.write_report(find_report_folder(item.config), passed=report.passed, seconds=call.duration)
        if report.failed:
            report.sections.append(("the gate", f"seed {gate.seed}. {gate.rerun}"))
    return report


def show_table(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what each gate of a long run has tried and lost."""
    if not config.option.torture:
        return
    terminalreporter.section("gates")
    for path in sorted(find_report_folder(config).glob("*.json")):
        report = json.loads(path.read_text("utf-8"))
        if report["bug"] is None:
            word = "held" if report["passed"] else "FAILED"
            count = f"{report['lost']} lost of {report['tried']:,} {report['what']}"
            name = report["test"].partition("::")[2].removeprefix("test_")
            terminalreporter.write_line(f"{word:6} {count:40} {report['seconds']:8,.0f} s  {name}")


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or not config.option.torture:
        return
    with capture.global_and_fixture_disabled():
        reporter.ensure_newline()
        reporter.write_line(f"  {line}")
