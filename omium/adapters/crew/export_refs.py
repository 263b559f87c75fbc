"""Code in a document: `module:qualname` and its source, for people. Nobody imports by it."""

from __future__ import annotations

import inspect
import textwrap
from functools import partial
from typing import Any, Final

from omium.adapters.masking import mask_source
from omium.jsonvalue import JsonValue

SOURCE_CHARACTERS_MAX: Final = 20_000
_REF_CHARACTERS_MAX: Final = 500


def make_ref(code: Any) -> dict[str, JsonValue]:
    """Return the ref of a function, a method, a class or an object that is called."""
    plain = unwrap(code)
    source = find_source(plain)
    return {"ref": name_code(plain), **({"source": source} if source else {})}


def name_code(code: Any) -> str:
    """Return `module:qualname`, that of its class for an object; never an address in memory."""
    named = code if hasattr(code, "__qualname__") else type(code)
    return f"{named.__module__}:{named.__qualname__}"[:_REF_CHARACTERS_MAX]


def find_source(code: Any) -> str:
    """Return the source text of `code`, empty where there is no file to read it from, as in a prompt."""
    named = code if hasattr(code, "__qualname__") else type(code)
    try:
        text = mask_source(textwrap.dedent(inspect.getsource(named)))
    except (OSError, TypeError, ValueError, IndentationError):
        return ""
    return text if len(text) <= SOURCE_CHARACTERS_MAX else f"{text[:SOURCE_CHARACTERS_MAX]}\n# ..."


def unwrap(code: Any) -> Any:
    """Return what decorators, `partial` and CrewAI's own wrappers of methods go round."""
    for _ in range(20):  # a wrapper that wraps itself ends here
        inner = code.func if isinstance(code, partial) else getattr(code, "__wrapped__", None)
        if inner is None:
            inner = getattr(code, "_meth", None)
        if inner is None:
            inner = _find_bound(code)
        if inner is None or not callable(inner):
            return code
        code = inner
    return code


def _find_bound(code: Any) -> Any:
    """Return the method that a `@CrewBase` class's callback closes over, None for any other function."""
    if getattr(code, "__module__", None) != "crewai.project.annotations":
        return None
    cells = [cell.cell_contents for cell in getattr(code, "__closure__", None) or ()]
    return next((each for each in cells if callable(each)), None)
