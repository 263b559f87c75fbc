"""Modules that are loaded when they are first needed: most processes never need them, and start without."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def later(name: str) -> Callable[[], Any]:
    """Return a function that returns the module `name`, and imports it the first time; safe in threads."""
    return functools.cache(functools.partial(importlib.import_module, name))


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Let what is imported in the block not find `name`, which it would load for what is not used here."""
    if name in sys.modules:  # somebody needs it anyway
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system's documentation says
    try:
        yield
    finally:
        del sys.modules[name]
