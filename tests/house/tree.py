"""What the tests about the repository read: its tracked files and the modules of the package."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "omium"


@cache
def list_tracked_files() -> list[Path]:
    """Return every file that is in the index and on disk."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def list_tracked_text() -> list[tuple[str, str]]:
    """Return (name, text) of every tracked file that is text."""
    found = []
    for path in list_tracked_files():
        data = path.read_bytes()
        if b"\0" not in data[:4096]:
            found.append((str(path.relative_to(ROOT)), data.decode(errors="replace")))
    return found


@cache
def list_modules() -> list[tuple[str, ast.Module, int]]:
    """Return (name, syntax tree, number of lines) of every module in the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        found.append((str(path.relative_to(ROOT)), ast.parse(text), text.count("\n")))
    return found


def get_docstring(module: ast.Module) -> str:
    """Return the module's docstring, empty if it has none."""
    return ast.get_docstring(module) or ""
