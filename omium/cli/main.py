"""Where the command line begins and ends: streams, interruption, errors as one sentence, exit codes.

Which commands there are is commands.py's, which code an error means is ending.py's. Nothing is loaded
before `main` runs, so that Ctrl-C is never answered with a traceback.
"""

from __future__ import annotations

import codecs
import os
import sys
from typing import Final

_INTERRUPTED: Final = 130  # ending.py's, which is loaded later
_ASCII: Final = str.maketrans("✓✗▶◷‖⊘↻↶◐·…→○↺▼─│┄┊┌┐└┘├┤┬┴┼═║╔╗╚╝", "+x>~=/@<o..>o@v-|-|+++++++++=|++++")


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    try:
        codecs.register_error("omium", _in_ascii)
        for stream in (sys.stdout, sys.stderr):
            if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
                reconfigure(errors="omium")  # a terminal that has no ✓ gets a +, not a traceback
        from omium.cli.stdout import let_go

        try:
            code = _run(None)
        finally:
            let_go()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line on `arguments` (default: this process's) and return the exit code."""
    from omium.cli.stdout import give_back

    try:
        return _run(arguments)
    finally:
        give_back()


def _run(arguments: list[str] | None) -> int:
    import typer

    from omium.cli.application import make_command
    from omium.cli.ending import FAILED, INTERRUPTED, WRONG_USE, describe, describe_invalid, exit_code
    from omium.cli.stdout import stdout_descriptor
    from omium.errors import OmiumError, Suspension

    try:
        outcome = make_command().main(arguments, prog_name="omium", standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("omium: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough; what Python still flushes at its end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout_descriptor())
        return FAILED
    except (OmiumError, Suspension) as error:
        print(f"omium: {describe(error)}", file=sys.stderr)
        return exit_code(error)
    except Exception as error:  # Click's own usage errors carry the code and the words
        refused = describe_invalid(error)
        if refused is not None:
            print(f"omium: {refused}", file=sys.stderr)
            return WRONG_USE
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", FAILED))
    return outcome if isinstance(outcome, int) else 0


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Stand in for what a stream's encoding lacks: our signs by ones that it has, anything else by `?`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_ASCII)
    return "".join(each if each.isascii() else "?" for each in lacking), error.end
