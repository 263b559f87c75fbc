"""Pictures: all spans of a trace as one execution with its steps, its failure and its usage. Pure.

The same spans give the same picture, whatever order they came in: spans are sorted, and everything follows
from that. What belongs to no agent (an HTTP request around it, a query inside) makes no step, but its root
decides how the execution ended. The only span of agents at the top, if others are inside it, is the
execution itself.

Spans are sent when they end, so a trace whose spans name a parent that has not come still runs; it is
`closed`, hence judged without it, when nothing has come for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from omium.ids import derived_id
from omium.jsonvalue import JsonValue
from omium.server.traces.merging import Tree, grow, sort_spans
from omium.server.traces.reading import Span
from omium.states import ExecutionStatus

PATH_BYTES_MAX: Final = 1024
DEPTH_MAX: Final = 16
_ESCAPES: Final = str.maketrans({character: f"%{ord(character):02X}" for character in "%/#[]~"})
UNNAMED: Final = "traces"
NEVER_FAILING: Final = frozenset(
    {"openinference.instrumentation.openai_agents", "opentelemetry.instrumentation.genai.openai_agents"}
)
"""Instrumentation of the OpenAI Agents SDK, whose traces tell nothing of how they ended; their agents do."""


@dataclass(frozen=True, slots=True)
class ObservedStep:
    """A span as a step."""

    path: str
    name: str
    occurrence: int
    span: Span


@dataclass(frozen=True, slots=True)
class ObservedState:
    """A state that was saved at a moment; only imported runs have them."""

    name: str
    at_us: int
    state: JsonValue


@dataclass(frozen=True, slots=True)
class ObservedUsage:
    """A call of a model; `id` is that of its record."""

    id: str
    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Picture:
    """An execution as its spans show it; `steps` in the order in which they ended."""

    workflow: str
    status: ExecutionStatus
    start_us: int
    end_us: int
    input: JsonValue
    output: JsonValue
    error: dict[str, JsonValue] | None
    failed_path: str
    steps: list[ObservedStep] = field(default_factory=list)
    usage: list[ObservedUsage] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    """What was left out of the span that is the execution itself."""
    states: list[ObservedState] = field(default_factory=list)
    """In the order in which they were saved."""
    reason: str | None = None
    """Why it is paused."""
    origin: str = ""
    """The framework in whose store it was; empty where spans tell of it."""
    is_lone_call: bool = False
    """Whether one call of a model is all that the trace has of an agent."""


def is_open(spans: Sequence[Span]) -> bool:
    """Say whether a span names a parent that has not come."""
    known = {span.span_id for span in spans}
    return any(span.parent_id and span.parent_id not in known for span in spans)


def draw(execution_id: str, spans: Sequence[Span], *, closed: bool) -> Picture | None:
    """Return what `spans` show, None where nothing of an agent is among them."""
    spans = sort_spans(spans)
    tree = grow(spans)
    if not tree.spans:
        return None
    known = {span.span_id for span in spans}
    root = min(
        spans, key=lambda span: (bool(span.parent_id), span.parent_id in known)
    )  # the first of the best
    below: dict[str | None, list[str]] = {}
    for id_, up in tree.above.items():
        below.setdefault(up, []).append(id_)
    tops = below[None]
    whole = tree.spans[tops[0]] if len(tops) == 1 and tops[0] in below else None
    body = whole or root
    steps = _name_steps(tree, below, whole.span_id if whole else None)
    paths = {step.span.span_id: step.path for step in steps}
    if not closed and is_open(spans):
        status = ExecutionStatus.RUNNING
    elif (
        root.failed
        or _has_failed(body, tree, below)
        or (root.span_id in tops and any(_has_failed(tree.spans[id_], tree, below) for id_ in tops))
    ):
        status = ExecutionStatus.FAILED
    else:
        status = ExecutionStatus.COMPLETED
    cause = _find_cause(tree, below, whole) if status is ExecutionStatus.FAILED else None
    failed = cause or body
    return Picture(
        workflow=_name_workflow(spans, root, body),
        status=status,
        start_us=min(span.start_us for span in spans),
        end_us=max(span.end_us for span in spans),
        input=whole.input if whole else None,
        output=whole.output if whole and status is ExecutionStatus.COMPLETED else None,
        error=(failed.error or root.error) if status is ExecutionStatus.FAILED else None,
        failed_path=paths.get(failed.span_id, ""),
        steps=sorted(steps, key=lambda step: (step.span.end_us, -step.span.start_us, step.path)),
        usage=_list_usage(execution_id, tree, paths),
        flags=(whole.flags or []) if whole else [],
        is_lone_call=len(tree.spans) == 1 and root.calls_model and not root.parent_id,
    )


def _name_workflow(spans: Sequence[Span], root: Span, body: Span) -> str:
    named = root.workflow or body.workflow or next((span.workflow for span in spans if span.workflow), "")
    return named or root.service or body.name or UNNAMED


def name_segment(name: str, count: int) -> str:
    """Return the part of a path that names the `count`-th step with this name."""
    return name.translate(_ESCAPES) + (f"#{count}" if count > 1 else "")


def _name_steps(tree: Tree, below: dict[str | None, list[str]], whole: str | None) -> list[ObservedStep]:
    """Return every span below `whole` as a step, named by what is above it."""
    steps: list[ObservedStep] = []
    counts: dict[tuple[str, str], int] = {}
    left = [(id_, "") for id_ in reversed(below.get(whole, []))]
    while left:
        id_, scope = left.pop()
        span = tree.spans[id_]
        while True:  # what has no room in there stands further up; everything has room at the top
            count = counts.get((scope, span.name), 0) + 1
            segment = name_segment(span.name, count)
            path = f"{scope}/{segment}" if scope else segment
            if not scope or (len(path.encode()) <= PATH_BYTES_MAX and path.count("/") < DEPTH_MAX):
                break
            scope = scope.rpartition("/")[0]
        counts[(scope, span.name)] = count
        steps.append(ObservedStep(path, span.name, count, span))
        left += [(inner, path) for inner in reversed(below.get(id_, []))]
    return steps


def _has_failed(span: Span, tree: Tree, below: dict[str | None, list[str]]) -> bool:
    """Say whether the span failed, or where it would never tell, the agent that ended last in it."""
    while not span.failed and span.scope in NEVER_FAILING:
        if span.kind != "workflow" and tree.above[span.span_id] is not None:
            break  # an agent: what failed inside it need not be its failure
        inner = [tree.spans[id_] for id_ in below.get(span.span_id, [])]
        inner = [each for each in inner if each.kind in {"agent", "workflow"}]
        if not inner:
            break
        span = max(inner, key=lambda each: (each.end_us, each.start_us, each.span_id))
    return span.failed


def _find_cause(tree: Tree, below: dict[str | None, list[str]], whole: Span | None) -> Span | None:
    """Return the innermost span that failed, following the one that failed first; None if no step did."""
    cause = whole if whole is not None and whole.failed else None
    at = whole.span_id if whole is not None else None
    while True:
        failed = _list_failed(at, tree, below)
        if not failed:
            return cause
        cause = min(failed, key=lambda span: (span.end_us, span.start_us, span.span_id))
        at = cause.span_id


def _list_failed(at: str | None, tree: Tree, below: dict[str | None, list[str]]) -> list[Span]:
    """Return the spans that failed right below `at`, through those that would never tell."""
    failed, left = [], list(below.get(at, []))
    while left:
        span = tree.spans[left.pop()]
        if span.failed:
            failed.append(span)
        elif span.kind == "workflow" and span.scope in NEVER_FAILING:
            left += below.get(span.span_id, [])
    return failed


def _list_usage(execution_id: str, tree: Tree, paths: dict[str, str]) -> list[ObservedUsage]:
    metered = tree.metered()
    return [
        ObservedUsage(derived_id("us", execution_id, id_), paths.get(id_, ""), span)
        for id_, span in tree.spans.items()
        if id_ in metered and (span.tells_usage or not span.failed)
    ]
