"""Writes docs/reliability.md from docs/reliability.json, which holds the last long run of every gate.

    python tools/generate_reliability.py --from .torture/long    take a run's reports in, then write the page
    python tools/generate_reliability.py                         write the page again
    python tools/generate_reliability.py --check                 write nothing, say whether it is current

`make torture` does the first. A report replaces what is known of its gate; gates that were not run keep what
they have, and those that are no longer in tests/faults are dropped. A gate that has been run in its short
form only, or not yet, is shown as such. Nothing of the machine gets into either file.
"""

from __future__ import annotations

import argparse
import ast
import datetime as dt
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
GATES = ROOT / "tests" / "faults"
RECORD = ROOT / "docs" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
INTRODUCTION = """\
# Reliability

What Omium promises, what tries to break each promise, and how often that was tried. Every promise has a
*gate*: a test in `tests/faults` that brings the fault about and counts what was lost. Each gate has a short
form in `make test` and a long one in `make torture`. The numbers below are of the last runs of the long
forms; those may be scaled down, so the count is what was really tried. Where it says so, a bug was planted
beside the product to see that the gate finds it.

`make torture` takes a night, about eight hours on two cores: no gate begins a round after half an hour. The
state machines and the random specs are then some thousands of their 20,000; all rounds of all gates take a
day or more: `make torture PYTEST_ARGS="--torture-minutes 0"`. For a look, `PYTEST_ARGS="--torture-scale
0.01"` takes half an hour, and with `-k NAME` in it only some gates run. Limits of time grow with the load of
the machine. A gate that loses something prints its seed and the command that makes the same choices again.

This page is written by `tools/generate_reliability.py` from `reliability.json` beside it.
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """What is known of one gate, of all its parameters together."""

    test: str
    promise: str
    fault: str
    tried: int
    what: str
    lost: int
    form: str
    date: str
    figures: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The file, as pytest takes it."""
        return self.test.partition("::")[0]

    @property
    def function(self) -> str:
        """The name of the test."""
        return self.test.rpartition("::")[2]

    def and_also(self, other: Self) -> Self:
        """Return this gate with the counts of another parameter of it."""
        figures = dict(self.figures)
        for name, (value, unit) in other.figures.items():
            figures[name] = [max(value, figures.get(name, [value])[0]), unit]
        tried, lost = self.tried + other.tried, self.lost + other.lost
        values = asdict(self) | {"tried": tried, "lost": lost, "figures": figures}
        return type(self)(**values)


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug that a gate was shown, and how soon it found it."""

    test: str
    gate: str
    bug: str
    tried: int
    what: str
    date: str


def list_marked(marker: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each test in tests/faults that has `marker`, as "file::function", with what the marker says."""
    for path in sorted(GATES.glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in node.decorator_list:
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == f"pytest.mark.{marker}":
                        told = {word.arg or "": read_text(word.value) for word in call.keywords}
                        yield f"{path.relative_to(ROOT).as_posix()}::{node.name}", told


def read_text(value: ast.expr) -> str:
    """Return a text in the source as it is meant; an expression as it is written."""
    return str(value.value) if isinstance(value, ast.Constant) else ast.unparse(value)


def read_reports(folder: Path, date: str) -> tuple[dict[str, Gate], dict[str, Planted]]:
    """Return what a run's reports say, by test; ends with a sentence where a gate has not held."""
    gates: dict[str, Gate] = {}
    planted: dict[str, Planted] = {}
    for path in sorted(folder.glob("*.json")):
        report = json.loads(path.read_text("utf-8"))
        if not report["passed"]:
            sys.exit(f"{report['test']} has failed ({report['lost']} lost, seed {report['seed']}): {path}")
        test = report["test"].partition("[")[0]
        told = {name: report[name] for name in ("tried", "what")} | {"test": test, "date": date}
        if report["bug"] is not None:
            planted[test] = Planted(gate=report["fault"], bug=report["bug"], **told)
            continue
        names = ("promise", "fault", "lost", "form", "figures")
        gate = Gate(**told, **{name: report[name] for name in names})
        gates[test] = gates[test].and_also(gate) if test in gates else gate
    return gates, planted


def merge(record: dict[str, Any], gates: dict[str, Gate], planted: dict[str, Planted]) -> dict[str, Any]:
    """Return the record with the newer reports and without what is gone; a short run replaces no long one."""
    known = {entry["test"]: Gate(**entry) for entry in record["gates"]}
    for test, gate in gates.items():
        if gate.form == "long" or test not in known or known[test].form == "short":
            known[test] = gate
    bugs = {entry["test"]: Planted(**entry) for entry in record["planted"]} | planted
    for test, told in list_marked("gate"):
        known.setdefault(test, Gate(test, told["promise"], told["fault"], 0, "", 0, "none", ""))
    for test, told in list_marked("planted"):
        bugs.setdefault(test, Planted(test, told["gate"], told["bug"], 0, "", ""))
    return {
        "gates": [asdict(known[test]) for test, _ in sorted(list_marked("gate"), key=lambda pair: pair[0])],
        "planted": [
            asdict(bugs[test]) for test, _ in sorted(list_marked("planted"), key=lambda pair: pair[0])
        ],
    }


def make_page(record: dict[str, Any]) -> str:
    """Return the page that `record` makes."""
    gates = [Gate(**entry) for entry in record["gates"]]
    planted = [Planted(**entry) for entry in record["planted"]]
    tries, lost = sum(gate.tried for gate in gates), sum(gate.lost for gate in gates)
    found = f"{len(planted)} planted bugs, all found"
    parts = [INTRODUCTION, f"**{len(gates)} gates, {tries:,} tries, {lost} lost; {found}.**\n"]
    for module in sorted({gate.module for gate in gates}):
        parts.append(f"## {read_title(module)}\n")
        parts.extend("\n".join(describe(gate, planted)) + "\n" for gate in gates if gate.module == module)
    return "\n".join(parts)


def describe(gate: Gate, planted: Iterable[Planted]) -> list[str]:
    """Return a gate's paragraph and its list."""
    short = " (short form)" if gate.form == "short" else ""
    tried = f"{gate.tried:,} {gate.what}{short}, **{gate.lost} lost**, {gate.date}"
    if gate.form == "none":
        tried = "in `make test` only, not yet in a long run"
    figures = [f"{name}: {value:,} {unit}".strip() for name, (value, unit) in sorted(gate.figures.items())]
    lines = [
        f"**{gate.promise.rstrip('.')}.**\n",
        f"- Fault: {gate.fault.rstrip('.')}.",
        f"- Tried: {tried}.",
    ]
    if figures:
        lines.append(f"- At most: {'; '.join(figures)}.")
    found = [bug for bug in planted if bug.gate == gate.function]
    lines += [f"- Planted: “{bug.bug}”. {tell_found(bug)}" for bug in found]
    lines.append(f"- Gate: `{gate.test}`")
    return lines


def tell_found(bug: Planted) -> str:
    """Say how soon a planted bug was found."""
    return f"Found after {bug.tried:,} {bug.what}." if bug.tried else "A test finds it."


def read_title(module: str) -> str:
    """Return the first sentence of a module's docstring up to its colon, as a heading."""
    text = ast.get_docstring(ast.parse((ROOT / module).read_text("utf-8"))) or module
    return text.partition("\n")[0].partition(":")[0].partition(". ")[0].rstrip(".").replace("`", "")


def show_table(record: dict[str, Any]) -> None:
    """Print one line for each gate."""
    for entry in record["gates"]:
        gate = Gate(**entry)
        print(f"{gate.lost:>6} lost of {gate.tried:>8,} {gate.what[:28]:28}  {gate.function[5:]}")


def main() -> int:
    """Run the command line; 1 where --check finds the page out of date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="folder", type=Path, help="folder of a run's reports")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {"gates": [], "planted": []}
    if arguments.check:
        return int(PAGE.read_text("utf-8") != make_page(record))
    gates: dict[str, Gate] = {}
    planted: dict[str, Planted] = {}
    if arguments.folder is not None:
        gates, planted = read_reports(arguments.folder, dt.datetime.now(dt.UTC).date().isoformat())
    record = merge(record, gates, planted)
    show_table(record)
    page = make_page(record)
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
