"""Code version: which of the user's code runs, and how to run it again (semantics 2.5).

Owns the digest of the workflow's module, the git revision if it's cheap to read, the entrypoint that a
worker would be given, and the command line as it was typed. Nothing here starts a process: it's read once per
module, on the way into a user's first workflow.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omium.redact import redact_text

ARGUMENTS_MAX = 64
ARGUMENT_CHARS_MAX = 500
PARENTS_MAX = 12  # folders above the module in which a repository is looked for


def describe_code(function: Callable[..., Any] | None) -> dict[str, object]:
    """Return the `models.execution.CodeVersion` of the module that `function` is in; None: of the script."""
    file = _file_of(function)
    return {
        "digest": _digest(file) if file else "",
        "git_revision": _git_revision(file.parent) if file else None,
        "entrypoint": None if function is None else make_entrypoint(function),
        "cwd": _cwd(),
        "command": [redact_text(each[:ARGUMENT_CHARS_MAX])[0] for each in sys.orig_argv[:ARGUMENTS_MAX]],
    }


def make_entrypoint(function: Callable[..., Any]) -> str | None:
    """Return what `omium worker` takes to find `function`: "path.py:name" or "package.module:name"."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    name = str(getattr(function, "__qualname__", ""))
    if module is None or "<" in name:  # a function inside a function cannot be found by name
        return None
    if not name:  # an object's own function, such as a graph's: whatever its module serves
        return getattr(module, "__file__", None) or module.__name__
    package = getattr(module, "__package__", None)
    if package and module.__name__ != "__main__":
        return f"{module.__name__}:{name}"
    file = getattr(module, "__file__", None)
    return f"{file}:{name}" if file else None


def _file_of(function: Callable[..., Any] | None) -> Path | None:
    name = "__main__" if function is None else getattr(function, "__module__", None)
    module = sys.modules.get(name or "")
    file = getattr(module, "__file__", None)
    return Path(file).absolute() if file else None


@functools.cache
def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # run from an archive, or removed meanwhile
        return ""


@functools.cache
def _git_revision(folder: Path) -> str | None:
    """Return the commit that is checked out, read from the repository's files."""
    for parent in [folder, *folder.parents][:PARENTS_MAX]:
        git = parent / ".git"
        try:
            if git.is_dir():
                return _read_head(git)
        except (OSError, ValueError):
            return None
    return None


def _read_head(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head or None
    name = head.removeprefix("ref: ")
    reference = git / name
    if reference.is_file():
        return reference.read_text().strip()
    for line in (git / "packed-refs").read_text().splitlines():
        revision, _, packed = line.partition(" ")
        if packed == name:
            return revision
    return None


def _cwd() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # removed under us
        return None
