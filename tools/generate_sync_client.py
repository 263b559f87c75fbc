"""Write omium/sdk/sync_client from omium/sdk/async_client: the same calls, blocking.

    python tools/generate_sync_client.py            write
    python tools/generate_sync_client.py --check    say whether it is current, change nothing

Word for word: `await` goes away, asynchronous names become their blocking twins. What cannot be said in those
words does not belong into the async client, but into a flow (omium/sdk/flows.py).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "omium/sdk/async_client"
TARGET = ROOT / "omium/sdk/sync_client"

WORDS = (
    (r"Awaitable\[(Page\[T\])\]", r"\1"),
    (r"from collections\.abc import (.*)\bAwaitable, ", r"from collections.abc import \1"),
    (r"\bawait ", ""),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsyncHttpxTransport\b", "HttpxTransport"),
    (r"\bAsyncClient\b", "Client"),
    (r"\bAsync([A-Z]\w+)\b", r"Sync\1"),
    (r"\bdrive_async\b", "drive_sync"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\basync_client\b", "sync_client"),
    (r"for item in page\.items:\n +yield item", "yield from page.items"),
    (r"return \((drive_sync\(.*\))\)\.", r"return \1."),
    (r"The async client", "The sync client"),
    (r"from async code", "from sync code"),
    (r"\nThe sync client is generated .*\n", "\n"),
    (r" `omium\.sdk\.sync_client` is generated from this package\.", ""),
)
NOTE = "Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there."


def translate(text: str) -> str:
    """Return the blocking twin of a module's text, formatted."""
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text)
    summary, rest = text.split("\n", 1)
    if summary.endswith('"""') and summary != '"""':
        text = f'{summary.removesuffix(chr(34) * 3)}\n\n{NOTE}\n"""\n{rest}'
    else:
        text = f"{summary}\n\n{NOTE}\n{rest}".replace(f'{NOTE}\n\n"""', f'{NOTE}\n"""')
    return _run("ruff", "check", "--select=I", "--fix", "--quiet", text=_run("ruff", "format", text=text))


def generate() -> dict[Path, str]:
    """Return every file of the sync client with its text."""
    return {TARGET / path.name: translate(path.read_text("utf-8")) for path in sorted(SOURCE.glob("*.py"))}


def find_stale() -> list[str]:
    """Return the names of files that are not what would be written now."""
    wanted = generate()
    here = set(TARGET.glob("*.py"))
    stale = [path for path, text in wanted.items() if path not in here or path.read_text("utf-8") != text]
    return sorted(str(path.relative_to(ROOT)) for path in {*stale, *(here - wanted.keys())})


def main() -> int:
    """Write or check."""
    if "--check" in sys.argv[1:]:
        stale = find_stale()
        if stale:
            print("Run tools/generate_sync_client.py; not current:", *stale, file=sys.stderr)
        return bool(stale)
    TARGET.mkdir(exist_ok=True)
    wanted = generate()
    for path in set(TARGET.glob("*.py")) - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return 0


def _run(*command: str, text: str) -> str:
    name = ["--stdin-filename", str(TARGET / "module.py"), "-"]
    done = subprocess.run(
        [sys.executable, "-m", *command, *name],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
