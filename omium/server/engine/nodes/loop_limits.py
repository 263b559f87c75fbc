"""Loop limits: how often the loops of one execution may go round, where a resume says more than their spec.

A loop is named by its header, behind the maps around it: `draft`, `orders/draft`. What was raised stays with
the execution, through rollbacks too, because its loops are walked again from their records; a replay begins
with what its version says. Which loop goes round is the scheduler's (omium/spec/schedule).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from omium.errors import InvalidRequest
from omium.jsonvalue import JsonValue, json_bytes, parse_json
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.scopes import list_maps
from omium.server.store.engine_runs import RunRow
from omium.spec.graph import Graph
from omium.spec.limits import ITERATIONS_MAX


def raise_limits(work: NodeWork, asked: Mapping[str, int]) -> None:
    """Let the loops of `asked` go round up to so many times; written when the work is saved.

    Raises `InvalidRequest` for a loop that the version doesn't have, and for what is not more than before:
    then nothing of the resume is kept.
    """
    if not asked:
        return
    known = _read(work.run)
    for name, most in asked.items():
        before = known.get(name) or _find_own(work, name)
        if before is None:
            raise InvalidRequest(
                f"{work.row.workflow} has no loop {name!r}; name its header, as in `draft`, or `map/draft`."
            )
        if not before < most <= ITERATIONS_MAX:
            raise InvalidRequest(
                f"The loop {name} may go round {before} times; give more than that, {ITERATIONS_MAX} at most."
            )
        known[name] = most
    work.run = replace(work.run, loop_limits=json_bytes(dict[str, JsonValue](known)))


def find_limits(run: RunRow, scope: str) -> Mapping[str, int]:
    """Return the limits that were raised for the loops of a scope, by header."""
    if run.loop_limits is None:
        return {}
    before = name_loop(scope, "")
    inside = {name.removeprefix(before): most for name, most in _read(run).items() if name.startswith(before)}
    return {header: most for header, most in inside.items() if "/" not in header}


def name_loop(scope: str, header: str) -> str:
    """Return the name of a loop; it's the same for every item of a map."""
    return "/".join((*list_maps(scope), header))


def _read(run: RunRow) -> dict[str, int]:
    kept = parse_json(run.loop_limits) if run.loop_limits is not None else {}
    assert isinstance(kept, dict)
    return {name: int(str(most)) for name, most in kept.items()}


def _find_own(work: NodeWork, name: str) -> int | None:
    """Return what the version says about a loop; None where it has none of that name."""
    *maps, header = name.split("/")
    graph: Graph | None = work.definition.root.graph
    for each in maps:
        node = graph.nodes.get(each) if graph is not None else None
        graph = node.body if node is not None else None
    region = graph.regions.get(header) if graph is not None else None
    return region.max_iterations if region is not None and region.header is not None else None
