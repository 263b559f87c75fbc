"""Documents: what exporters of all frameworks write the same way.

Owns the frame of a native workflow's document, how code is shown in one, and that no secret leaves in it.
What the nodes and edges are is each adapter's own. Loads no framework.
"""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from omium.adapters.masking import mask_document, mask_source
from omium.jsonvalue import JsonValue
from omium.spec.limits import TEXT_CHARACTERS_MAX

ANYTHING: Final[dict[str, JsonValue]] = {"type": ["string", "array", "object"]}


def make_document(
    name: str,
    framework: str,
    *,
    nodes: Iterable[Mapping[str, Any]],
    edges: Iterable[Mapping[str, Any]],
    because: list[str],
    entrypoint: str | None = None,
    **fields: Any,
) -> dict[str, JsonValue]:
    """Return a native document: what is empty is left out, what looks like a secret is masked."""
    runtime: dict[str, Any] = {"mode": "native"} | ({"entrypoint": entrypoint} if entrypoint else {})
    whole = {
        "omium": "0",
        "name": name,
        "source_framework": framework,
        **fields,
        "nodes": list(nodes),
        "edges": list(edges),
        "runtime": runtime,
        "x-native-because": because,
    }
    return mask_document(without_empty(whole))


def without_empty(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of the document without its members that say nothing."""
    return {
        name: value for name, value in part.items() if value is not None and value not in ("", [], {}, ())
    }


def make_ref(function: Callable[..., Any] | None) -> dict[str, str] | None:
    """Return how code is shown: where it is, and its source; None where it has no name."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if function is None or not module or not name:
        return None
    return {"ref": f"{module}:{name}"[:500]} | (
        {"source": source[:TEXT_CHARACTERS_MAX]} if (source := mask_source(read_source(function))) else {}
    )


def read_source(code: object) -> str:
    """Return the source text, empty where there is none to read."""
    try:
        return textwrap.dedent(inspect.getsource(cast("Callable[..., Any]", code)))
    except (OSError, TypeError):
        return ""


def make_schema(schema: object) -> dict[str, JsonValue]:
    """Return a JSON Schema as plain JSON, empty where it is none."""
    try:
        plain = json.loads(json.dumps(schema, sort_keys=True))
    except (TypeError, ValueError):
        return {}
    return plain if isinstance(plain, dict) else {}


def describe_checkpoint(schema: Mapping[str, Any] | None, *, record: bool) -> dict[str, JsonValue]:
    """Return what a document says of what a node gives, empty where it is kept as it is."""
    if not record:
        return {"enabled": False}
    return {"payload": dict(schema)} if schema else {}
