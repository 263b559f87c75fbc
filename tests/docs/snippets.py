"""Runs the snippets of one page, in order, as a reader would: one shell, one folder, one page.

Every command that begins with `$ ` is run; the lines below it, if any, are what it must print (`...` stands
for anything, on a line of its own for any lines). Every python block is a script of its own. Background jobs
of a page (`$ omium serve &`) are ended with it.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT, Block

TIMEOUT_S = 110
MARK = "\x1e"  # a record separator before each command's output; no program prints it by chance


@dataclass(frozen=True, slots=True)
class Step:
    """One command: where it stands, what bash runs, its exit code, the output that the page promises."""

    line: int
    command: str
    exit_code: int = 0
    expected: tuple[str, ...] = ()


class SnippetFailed(AssertionError):
    """A snippet ended with another code or printed something else than its page says."""


def read_console(block: Block) -> list[Step]:
    """Return the commands of a console block, each with the output below it."""
    steps: list[Step] = []
    lines = block.text.splitlines()
    number = 0
    while number < len(lines):
        first = block.line + 1 + number
        if not lines[number].startswith("$ "):
            raise SnippetFailed(f"line {first}: a console block begins with a command, after `$ `")
        command = lines[number][2:]
        number += 1
        while command.endswith("\\") and number < len(lines):
            command += "\n" + lines[number]
            number += 1
        below = number
        while number < len(lines) and not lines[number].startswith("$ "):
            number += 1
        expected = tuple(line.rstrip() for line in lines[below:number] if line.strip())
        steps.append(Step(first, command, 0, expected))
    if steps and (code := block.directives.get("exit code")):
        last = steps[-1]
        steps[-1] = Step(last.line, last.command, int(code), last.expected)
    return steps


def prepare(blocks: list[Block], folder: Path) -> list[Step]:
    """Write the page's files into `folder`, return its commands; what isn't run must still compile."""
    steps: list[Step] = []
    for block in blocks:
        if block.language == "python":
            compile(block.text, f"line {block.line}", "exec", dont_inherit=True)
        if name := block.directives.get("file"):
            (folder / name).write_text(block.text)
        elif "not run" in block.directives:
            continue
        elif block.language == "console":
            steps += read_console(block)
        elif block.language == "python":
            script = folder / f"line_{block.line}.py"
            script.write_text(block.text)
            code = int(block.directives.get("exit code", "0"))
            steps.append(Step(block.line, f"python {script.name}", code))
    return steps


def run_page(blocks: list[Block], folder: Path) -> int:
    """Run a page's snippets in `folder`, return how many ran; `SnippetFailed` at the first that fails."""
    steps = prepare(blocks, folder)
    lines = ["trap 'jobs -p | xargs -r kill 2>/dev/null; wait' EXIT"]
    for step in steps:
        ending = f"code=$?; printf '{MARK}=%s\\n' $code; [ $code = {step.exit_code} ] || exit 99"
        lines += [f"printf '{MARK}%s\\n' {step.line}", step.command, ending]
    script = folder / ".page.sh"
    script.write_text("\n".join(lines) + "\n")
    output = folder / ".page.out"
    with output.open("wb") as sink:
        subprocess.run(
            ["bash", script],
            cwd=folder,
            env=make_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
            start_new_session=True,
        )
    compare(steps, output.read_text(errors="replace"))
    return len(steps)


def compare(steps: list[Step], output: str) -> None:
    """Check the code and the output of every step against the page."""
    records = re.findall(rf"{MARK}(\d+)\n(.*?)(?:{MARK}=(\d+)\n|\Z)", output, re.DOTALL)
    for step, (line, printed, code) in zip(steps, records, strict=False):
        assert int(line) == step.line
        if code != str(step.exit_code):
            ended = f"ended with {code}" if code else "ended the shell"
            raise SnippetFailed(f"line {line}: `{step.command}` {ended}, not {step.exit_code}:\n{printed}")
        if step.expected and not match_output(step.expected, printed):
            promised = "\n".join(step.expected)
            raise SnippetFailed(f"line {line}: `{step.command}` printed\n{printed}\nand not\n{promised}")
    if len(records) < len(steps):
        raise SnippetFailed(f"line {steps[len(records)].line}: the shell ended before it:\n{output}")


def match_output(expected: tuple[str, ...], printed: str) -> bool:
    """Tell whether `printed` is what the page promises, where `...` stands for anything."""
    parts = []
    for line in expected:
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*?".join(re.escape(piece) for piece in line.split("...")) + r"[ \t]*\n")
    kept = "".join(f"{line}\n" for line in printed.splitlines() if line.strip())
    return re.fullmatch("".join(parts), kept) is not None


def make_environment(folder: Path) -> dict[str, str]:
    """Return a reader's environment: this Python on the PATH, a home of its own, nothing of Omium set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OMIUM_", "COV_", "COVERAGE_", "PYTEST_"))
    }
    return {
        **kept,
        "HOME": str(folder),
        "OMIUM_CONFIG_DIR": str(folder / "config"),
        "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "COLUMNS": "110",
    }
