"""The process that evaluates expressions: one after the other, each with its own allowance of CPU.

Started by expressions.py as a file, not as a module: it needs nothing of Omium, and loads in a few
milliseconds. Reads frames (four bytes of length, JSON) from its standard input and answers each on its
standard output; ends when the input ends, so it never outlives the server.

The kernel ends it: a timer on its CPU time is armed before each evaluation, and what it does on the signal is
the default, whatever the library is doing at the moment. Memory and files have hard limits. An evaluation
that ends this process says nothing; the server sees the end of the pipe.
"""

import importlib
import importlib.util
import json
import resource
import signal
import struct
import sys
import types
from typing import Any

CPU_S = 0.1
MEMORY_BYTES = 512 * 2**20
"""Of address space, most of which is never touched: libraries are mapped into it."""
ITEMS_MAX = 1_000
ANSWER_BYTES_MAX = 256 * 1024
WARM_UP = "[timestamp('2026-01-01T00:00:00Z') - duration('1h'), values, 'a'.matches('a'), 1.5]"
"""Loads what the library loads when it first needs it, such as `datetime`: later no file can be opened."""
_HEAD = struct.Struct(">I")


def load_library() -> Any:
    """Return the extension `cel.cel` without its package's `__init__`, which loads a command line."""
    found = importlib.util.find_spec("cel")
    package = types.ModuleType("cel")
    assert found is not None
    package.__path__ = list(found.submodule_search_locations or ())
    sys.modules["cel"] = package
    return importlib.import_module("cel.cel")


def limit_process() -> None:
    """Give up what an evaluation never needs; done after everything is loaded."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it ends with its input
        signal.signal(number, signal.SIG_IGN)


def evaluate(library: Any, source: str, values: dict[str, Any]) -> bytes:
    """Return the answer to one request."""
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        answer = {"value": library.compile(source).execute(values)}
        check_value(answer["value"])
        body = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        if len(body) > ANSWER_BYTES_MAX:
            body = failed(f"its result is larger than {ANSWER_BYTES_MAX // 1024} KiB")
    except KeyError as error:
        body = failed(f"there is no {error.args[0] if error.args else error}")
    except Exception as error:  # whatever the library raises is the expression's own failure
        body = failed(str(error) or type(error).__name__)
    except BaseException as error:  # a panic of the library, which derives from BaseException
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise
        body = failed("the expression could not be evaluated")
    signal.setitimer(signal.ITIMER_PROF, 0)
    return body


def failed(reason: str) -> bytes:
    """Return an answer that says why there is no value."""
    return json.dumps({"error": reason.encode("utf-8", "replace").decode()[:500]}).encode()


def check_value(value: Any, depth: int = 0) -> None:
    """Raise ValueError unless `value` is JSON of a sensible size."""
    if depth > 32:
        raise ValueError("its result is nested more than 32 deep")
    if isinstance(value, list | dict):
        if len(value) > ITEMS_MAX:
            raise ValueError(f"its result has {len(value):,} items; {ITEMS_MAX:,} are allowed")
        for item in value.values() if isinstance(value, dict) else value:
            check_value(item, depth + 1)
        if isinstance(value, dict) and not all(isinstance(name, str) for name in value):
            raise ValueError("its result has an object with names that are no text")
    elif not (value is None or isinstance(value, bool | int | float | str)):
        raise ValueError(f"its result is a {type(value).__name__}, not JSON; turn it into text with string()")


def read_exactly(count: int) -> bytes:
    """Return `count` bytes of the input; ends the process where it has ended."""
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        raise SystemExit(0)
    return data


def main() -> None:
    """Answer requests until the input ends."""
    library = load_library()
    library.compile(WARM_UP).execute({"values": {"a": [1, 1.5, None, True, "x"]}})
    limit_process()
    sys.stdout.buffer.write(_HEAD.pack(0))  # ready
    sys.stdout.buffer.flush()
    while True:
        request = json.loads(read_exactly(_HEAD.unpack(read_exactly(_HEAD.size))[0]))
        body = evaluate(library, request["source"], request["values"])
        sys.stdout.buffer.write(_HEAD.pack(len(body)) + body)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
