"""Mermaid: a workflow's graph as text that others render (GitHub, documentation, editors)."""

from __future__ import annotations

from collections.abc import Iterator

from omium.safetext import safe_text
from omium.spec.document import Body
from omium.spec.drawing.diagram import Box, Line, make_diagram

_SHAPES = {
    "decision": ("{", "}"),
    "approval": ("[/", "/]"),
    "wait": ("([", "])"),
    "map": ("[[", "]]"),
    "subworkflow": ("[[", "]]"),
    "tool_call": ("(", ")"),
}


def draw_mermaid(body: Body) -> str:
    """Return a Mermaid flowchart of a workflow; each map's body is a frame of its own."""
    return "\n".join(["flowchart TD", *_draw(body, "n", "  ")]) + "\n"


def _draw(body: Body, prefix: str, indent: str) -> Iterator[str]:
    """Yield the lines of one body. Ids are numbers: a node's own may be a word of Mermaid, such as `end`."""
    diagram = make_diagram(body)
    ids = {box.id: f"{prefix}{at}" for at, box in enumerate(diagram.boxes)}
    for box in diagram.boxes:
        yield f"{indent}{ids[box.id]}{_shape(box)}"
    for line in diagram.lines:
        yield f"{indent}{ids[line.source]} {_arrow(line)} {ids[line.target]}"
    for node in body.nodes:
        if node.body is not None:
            frame = f"{ids[node.id]}_"
            yield f'{indent}subgraph {frame}body["{_escape(f"Each item of {node.id}")}"]'
            yield from _draw(node.body, frame, indent + "  ")
            yield f"{indent}end"
            yield f"{indent}{ids[node.id]} -.- {frame}body"


def _shape(box: Box) -> str:
    before, after = _SHAPES.get(box.type, ("[", "]"))
    return f'{before}"{_escape(box.title)}<br/><small>{_escape(box.words)}</small>"{after}'


def _arrow(line: Line) -> str:
    arrow = "-.->" if line.is_context or line.is_failure else "-->"
    return f'{arrow}|"{_escape(line.label)}"|' if line.label else arrow


def _escape(text: str) -> str:
    """Return `text` as Mermaid shows it; what could end a label or begin markup is written as an entity."""
    plain = safe_text(" ".join(text.split()))
    return "".join(each if each.isalnum() or each in " ._-,·:/@()=+*" else f"#{ord(each)};" for each in plain)
