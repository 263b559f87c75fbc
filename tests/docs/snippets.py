"""Runs the snippets of one page, in order, as a reader would: one shell, one folder, one page.

Every command that begins with `$ ` is run; the lines below it, if any, are what it must print. There `...`
stands for anything (on a line of its own for any lines), and an id like ex_01mcc5rm00ngqz8ctbd9ygs3xh for the
one that is really printed, also in the commands after it. Every python block is a script of its own.
`$ omium serve &` serves on a port of the page's own; the shell goes on when it answers and ends it when done.
`omium` and `python` are forked from a Python that has imported Omium (page_shell.py), which saves most of a
page's time; on the quickstart they are the installed ones.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests import preloaded
from tests.docs import page_shell
from tests.docs.pages import ROOT, Block

TIMEOUT_S = 110
START_TIMEOUT_S = 30
MARK = "\x1e"  # a record separator after each command's output; no program prints it by chance
ID = re.compile(r"[a-z]{2}_[0-9a-hjkmnp-tv-z]{26}")
TOKEN = re.compile(rf"(\.\.\.|\b{ID.pattern}\b)")


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


def run_page(
    blocks: list[Block], folder: Path, *, with_server: bool = False, from_nothing: bool = False
) -> int:
    """Run a page's snippets in `folder`, return how many ran; `SnippetFailed` at the first that fails.

    `with_server`: a server runs, and `omium init` was done, before the first. `from_nothing`: each command is
    the installed one and starts a Python of its own, as a reader's do.
    """
    steps = prepare(blocks, folder)
    with Shell(folder, from_nothing=from_nothing) as shell:
        if with_server:
            shell.run(Step(0, "omium serve >server.log 2>&1 &"))
            shell.run(Step(0, "omium init --local --yes"))
        for step in steps:
            shell.run(step)
    return len(steps)


class Shell:
    """A bash that takes one command after the other; its background jobs end with it."""

    def __init__(self, folder: Path, *, from_nothing: bool = False) -> None:
        self.folder = folder
        self.port = find_free_port()
        self.ids: dict[str, str] = {}
        self.commands = tempfile.TemporaryDirectory(prefix="omium-page-")
        place = Path(self.commands.name).name
        environment = make_environment(folder, self.port)
        command = [sys.executable, "-m", "tests.docs.page_shell", place]
        if from_nothing or not preloaded.can_run(command, environment):
            command = ["bash", "--norc"]
        else:
            page_shell.write_commands(Path(self.commands.name), place, environment)
            environment["PATH"] = f"{self.commands.name}:{environment['PATH']}"
        self.process = preloaded.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.watchdog = threading.Timer(TIMEOUT_S, self.kill)

    def __enter__(self) -> Self:
        self.watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The last first: a worker says goodbye to a server that is still there.
        self.send("for job in $(jobs -p | tac); do kill $job; wait $job; done 2>/dev/null; exit")
        with self.process.stdout:  # to its end: jobs may still write
            self.process.stdout.read()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.watchdog.cancel()
        self.watchdog.join()
        self.commands.cleanup()

    def run(self, step: Step) -> None:
        """Run one command and check its code and its output against the page."""
        command = step.command
        for shown, real in self.ids.items():
            command = command.replace(shown, real)
        # A group, so that `cd` and `export` last; without our input, which holds the commands to come.
        self.send(f"{{ {command}\n}} </dev/null; printf '{MARK}%s\\n' $?")
        printed, code = self.read_to_mark()
        if code != str(step.exit_code):
            ended = f"ended with {code}" if code else "ended the shell"
            raise SnippetFailed(f"line {step.line}: `{command}` {ended}, not {step.exit_code}:\n{printed}")
        if step.expected and not self.match(step.expected, printed):
            promised = "\n".join(step.expected)
            raise SnippetFailed(f"line {step.line}: `{command}` printed\n{printed}\nand not\n{promised}")
        if re.match(r"omium serve\b.*&$", command, re.DOTALL):
            self.wait_for_server()

    def send(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the shell has ended; reading tells
            self.process.stdin.write(f"{text}\n")
            self.process.stdin.flush()

    def read_to_mark(self) -> tuple[str, str]:
        """Return what was printed up to the next mark, and the code that stands after it."""
        printed = ""
        while line := self.process.stdout.readline():
            text, mark, code = line.partition(MARK)
            printed += text
            if mark:
                return printed, code.strip()
        return printed, ""

    def match(self, expected: tuple[str, ...], printed: str) -> bool:
        """Tell whether `printed` is what the page promises, and keep the ids that stand in it."""
        kept = "".join(f"{line}\n" for line in printed.splitlines() if line.strip())
        seen: set[str] = set()
        found = re.fullmatch("".join(self.make_pattern(line, seen) for line in expected), kept)
        if found is None:
            return False
        self.ids |= {shown: found[shown] for shown in seen}
        return True

    def make_pattern(self, line: str, seen: set[str]) -> str:
        """Return the regular expression for one promised line; ids new to the page go into `seen`."""
        if line.strip() == "...":
            return r"(?:[^\n]*\n)*?"
        pattern = ""
        for token in TOKEN.split(line):
            if token == "...":
                pattern += r"[^\n]*?"
            elif token in self.ids:
                pattern += re.escape(self.ids[token])
            elif token in seen:
                pattern += f"(?P={token})"
            elif ID.fullmatch(token):
                seen.add(token)
                pattern += f"(?P<{token}>{token[:3]}[0-9a-z]{{26}})"
            else:
                pattern += re.escape(token)
        return pattern + r"[ \t]*\n"

    def wait_for_server(self) -> None:
        """Go on when the page's server takes connections, as a reader would."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        log = self.folder / "server.log"
        raise SnippetFailed(f"the server did not start:\n{log.read_text() if log.exists() else ''}")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def find_free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def make_environment(folder: Path, port: int) -> dict[str, str]:
    """Return a reader's environment: this Python, a home and a port of its own, nothing else set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OMIUM_", "COV_", "COVERAGE_", "PYTEST_"))
    }
    return {
        **kept,
        "HOME": str(folder),
        "OMIUM_BASE_URL": f"http://127.0.0.1:{port}",
        "OMIUM_CONFIG_DIR": str(folder / "config"),
        "OMIUM_DATA_DIR": str(folder / "data"),
        "OMIUM_PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "COLUMNS": "110",
    }
