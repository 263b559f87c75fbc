"""Modules: how Sematic's forms of dataclasses name where a class is, whichever process writes and reads them.

Owns that a script has one name. Run as `python report.py` its classes stand in `__main__`, in a worker or an
import in `report`; what is recorded says `report` in both, so that inputs stay equal and classes are found.
Nothing is imported because a record names it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from omium.sdk.session import find_own_name

_MODULE: Final = "import_path"  # Sematic's key, in its forms of types
_MAIN: Final = "__main__"
_LOADED: Final = "omium_target_"  # before the name of a file whose own name was taken (omium/sdk/loading.py)


def to_recorded(form: Any) -> Any:
    """Return `form` with the names that modules have in every process."""
    return _rename(form, name_module)


def to_local(form: Any) -> Any:
    """Return `form` with the names that modules have in this process; LookupError where one is not loaded."""
    return _rename(form, _find)


def name_module(name: str) -> str:
    """Return the name that the module called `name` here has in every process."""
    return find_own_name() or name if name == _MAIN else name.removeprefix(_LOADED)


def _find(name: str) -> str:
    if name == find_own_name():
        return _MAIN
    for candidate in (name, f"{_LOADED}{name}"):
        if candidate in sys.modules:
            return candidate
    raise LookupError(name)


def _rename(form: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(form, dict):
        return {
            key: rename(part) if key == _MODULE and isinstance(part, str) else _rename(part, rename)
            for key, part in form.items()
        }
    if isinstance(form, list | tuple):
        return [_rename(part, rename) for part in form]
    return form
