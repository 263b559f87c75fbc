"""`export_pipeline(pipeline)`: a pipeline of Sematic's as a spec, to be seen, compared and edited.

Owns the whole document. Sematic finds out what a function calls by calling it, so without a run only the
pipeline's own body can tell: it is called with placeholders (placeholders.py), and nothing else is. What the
other functions call is known after a run (`trace=True`). Either way a worker runs Sematic itself.
"""

from __future__ import annotations

from typing import Any

from sematic.abstract_future import AbstractFuture

from omium.adapters.documents import make_document
from omium.adapters.node_ids import make_ids
from omium.adapters.sematic.drawing import Drawing, Level, Policies
from omium.adapters.sematic.naming import list_level, name_level
from omium.adapters.sematic.placeholders import Expansion, expand
from omium.adapters.sematic.schemas import make_inputs_schema
from omium.adapters.sematic.subjects import find_policies, get_function, get_name
from omium.adapters.sematic.tracing import Tracer
from omium.adapters.sematic.tracing import trace as run_traced
from omium.jsonvalue import JsonValue
from omium.spec.limits import NAME_CHARACTERS_MAX

_BECAUSE = "What a function of Sematic's calls is known when it has run; a worker runs Sematic itself."


def export_pipeline(
    pipeline: Any, *, name: str | None = None, entrypoint: str | None = None, trace: bool = False
) -> dict[str, JsonValue]:
    """Return `pipeline` (a function under `@sematic.func`, its future, or an instrumented one) as a spec.

    `name` is the workflow's, by default the pipeline's; `entrypoint` is what a worker serves, such as
    `train.py:pipeline`. With `trace` the pipeline is run once, for real, and the document holds what each
    function called: then `pipeline` is a future, or needs no arguments. Raises `ConfigError` where it does.
    """
    function = get_function(pipeline)
    policies = find_policies(pipeline)
    expansion = expand(function)
    traced = run_traced(pipeline if isinstance(pipeline, AbstractFuture) else function) if trace else None
    drawing = Drawing(policies, None if traced is None else traced[1])
    ran = {} if traced is None else _list_ran(*traced)
    because = [_BECAUSE]
    if expansion.result is not None and (traced is None or _is_same(expansion, ran)):
        level = Level(expansion.result, expansion.created, expansion.inputs)
        body = drawing.draw(level, "", ran)
    else:
        if expansion.reason:
            because.append(expansion.reason)
        body = {"nodes": [_draw_whole(expansion, drawing, traced)]}
    return make_document(
        (name or get_name(pipeline))[:NAME_CHARACTERS_MAX],
        "sematic",
        nodes=body.pop("nodes"),  # type: ignore[arg-type]  # drawn above
        edges=body.pop("edges", []),  # type: ignore[arg-type]
        because=because,
        entrypoint=entrypoint,
        description=(function.__doc__ or "").strip(),
        inputs=make_inputs_schema(function),
        breakers=_list_breakers(policies),
        **body,
    )


def _draw_whole(
    expansion: Expansion, drawing: Drawing, traced: tuple[AbstractFuture, Tracer] | None
) -> dict[str, JsonValue]:
    """Return the pipeline as one node: its body has to run to say what it calls."""
    (node_id,) = make_ids([expansion.future.function.__name__], otherwise="pipeline")
    node: dict[str, JsonValue] = {"id": node_id, "type": "function", "x-pipeline": True}
    node |= drawing.describe(expansion.future, "")
    if expansion.reason:
        node["dynamic"] = True
    return node | (drawing.inside(traced[0], "") if traced is not None else {})


def _list_ran(future: AbstractFuture, tracer: Tracer) -> dict[str, AbstractFuture]:
    if future.nested_future is None:
        return {}
    ids = name_level(future.nested_future, tracer.created.get(future.id, ()))
    by_id = {each.id: each for each in list_level(future.nested_future)}
    return {node_id: by_id[future_id] for future_id, node_id in ids.items()}


def _is_same(expansion: Expansion, ran: dict[str, AbstractFuture]) -> bool:
    """Say whether the run's own body called what it called for placeholders."""
    assert expansion.result is not None, "the body could be called"
    return {*name_level(expansion.result, expansion.created).values()} == ran.keys()


def _list_breakers(policies: Policies) -> dict[str, JsonValue]:
    return {breaker: {} for breaker in sorted({each.breaker for each in policies.values() if each.breaker})}
