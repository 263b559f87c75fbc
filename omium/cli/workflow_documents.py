"""`omium workflows import|export|validate|diff|graph`: documents in and out, and what they look like.

A document is checked where it is saved, by the server; `validate` checks it here and asks nobody.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from omium.cli.cells import Cell
from omium.cli.context import Common, for_server, for_this_machine
from omium.cli.ending import FAILED, WrongUse
from omium.cli.inputs import read_file
from omium.cli.output import width_of_stdout
from omium.cli.workflows import Name, NameAndVersion, Note, split_name, tell_saved
from omium.errors import InvalidJson, SpecInvalid
from omium.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omium.cli.output import Output
    from omium.jsonvalue import JsonValue
    from omium.models.workflows import WorkflowChange, WorkflowFieldChange

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}

File = Annotated[str, typer.Argument(metavar="FILE", help="A JSON document, or - for stdin.")]


@for_server
def import_document(
    common: Common,
    file: File,
    note: Note = "",
    expected_version: Annotated[
        int | None,
        typer.Option(
            "--expected-version", min=0, help="Save only if this is the active one; 0: only if new."
        ),
    ] = None,
) -> None:
    """Import a workflow from a JSON document. The same document again makes no new version.

    \b
    omium workflows import research.json
    omium export-crew crew.py:crew | omium workflows import -
    """
    from omium.models.workflows import SaveWorkflow

    document = _read_document(common.output, file)
    with common.client() as client:
        try:
            done = client.save_workflow(
                SaveWorkflow(document=document, note=note, expected_version=expected_version)
            )
        except SpecInvalid as invalid:
            refuse(common.output, invalid.members.get("errors"))
    tell_saved(common, done)


@for_server
def export_document(
    common: Common,
    name: NameAndVersion,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="Write it into this file.")] = None,
) -> None:
    """Print a workflow's document, as it can be imported again.

    \b
    omium workflows export research > research.json
    omium workflows export research@prod --output research.json
    """
    with common.client() as client:
        found = client.get_workflow_version(*split_name(name))
    text = to_text(found.document)
    if to is None:
        common.output.show(text.removesuffix("\n"))
        return
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"Cannot write {to}: {error.strerror}.") from error
    if common.output.as_json:
        common.output.json({"file": str(to), "name": found.name, "version": found.version})
    else:
        common.output.say(f"{found.name} version {found.version} is in {to}.")


@for_server
def diff(
    common: Common,
    name: Name,
    before: Annotated[
        str | None, typer.Argument(metavar="[BEFORE]", help="A version or tag; default: the one before.")
    ] = None,
    after: Annotated[
        str | None, typer.Argument(metavar="[AFTER]", help="A version or tag; default: the active one.")
    ] = None,
) -> None:
    """Say what a version changed: nodes, edges, agents, prompts. Compared are the last two, unless named.

    \b
    omium workflows diff research
    omium workflows diff research 2 5
    omium workflows diff research prod
    """
    with common.client() as client:
        found = client.compare_workflow_versions(name, before=before, after=after)
    if common.output.as_json:
        common.output.json(found)
        return
    common.output.say(f"{found.name} from version {found.before} to version {found.after}:")
    show_changes(common.output, found.changes)


@for_this_machine
def validate(common: Common, file: File) -> None:
    """Say everything that is wrong with a document. Nothing is saved, and no server is asked.

    \b
    omium workflows validate research.json
    cat research.json | omium workflows validate - --json
    """
    from omium.spec.check import check_spec

    checked = check_spec(_read_document(common.output, file))
    warnings = [each.to_json() for each in checked.warnings]
    if checked.spec is None:
        refuse(common.output, [each.to_json() for each in checked.problems])
    if common.output.as_json:
        common.output.json({"name": checked.spec.name, "errors": [], "warnings": warnings})
        return
    show_findings(common.output, warnings)
    common.output.say(f"{checked.spec.name} is valid: {count(len(checked.spec.nodes), 'node')}.")


@for_server
def graph(
    common: Common,
    name: NameAndVersion,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print Mermaid instead of a drawing.")] = False,
) -> None:
    """Draw a workflow's graph. With --json, its nodes and edges; with --mermaid, what others render.

    \b
    omium workflows graph research
    omium workflows graph research@prod --mermaid > research.mmd
    """
    from omium.spec.check import load_spec
    from omium.spec.drawing.diagram import make_diagram
    from omium.spec.drawing.mermaid import draw_mermaid
    from omium.spec.drawing.terminal import draw_terminal

    with common.client() as client:
        found = client.get_workflow_version(*split_name(name))
    document: Any = found.document
    spec = load_spec(document)
    if common.output.as_json:
        diagram = make_diagram(spec)
        common.output.json(
            {
                "name": found.name,
                "version": found.version,
                "nodes": [{"id": box.id, "name": box.title, "type": box.type} for box in diagram.boxes],
                "edges": [
                    {
                        "id": line.id,
                        "from": line.source,
                        "to": line.target,
                        "kind": "context" if line.is_context else "control",
                        "label": line.label,
                        "back": line.is_back,
                    }
                    for line in diagram.lines
                ],
            }
        )
        return
    text = draw_mermaid(spec) if mermaid else draw_terminal(spec, width_of_stdout())
    common.output.show(text.removesuffix("\n"))


def _read_document(output: Output, file: str) -> JsonValue:
    """Return the document of a file or of stdin; ends like an invalid one where it is no JSON."""
    from omium.jsonvalue import parse_json

    text = sys.stdin.read() if file == "-" else read_file(Path(file))
    try:
        return parse_json(text)
    except InvalidJson as error:
        refuse(output, [{"pointer": error.members.get("pointer") or "", "detail": str(error)}])


def refuse(output: Output, errors: object) -> NoReturn:
    """End as failed with everything that is wrong with a document: for scripts on stdout, else on stderr."""
    found: list[Mapping[str, Any]] = errors if isinstance(errors, list) else []
    if output.as_json:
        output.json({"errors": found})
    else:
        show_findings(output, found)
        output.warn(f"{count(len(found), 'problem')}; nothing was saved.")
    raise typer.Exit(FAILED)


def show_findings(output: Output, findings: Sequence[Mapping[str, Any]]) -> None:
    """Say each finding on a line of its own: where, what, and what to do."""
    for each in findings:
        where = each.get("pointer") or "the document"
        output.warn(f"{where}: {each.get('detail', '')} {each.get('suggestion') or ''}".rstrip())


def show_changes(output: Output, changes: Sequence[WorkflowChange]) -> None:
    """Print what changed, a thing to a line, its fields below it."""
    if not changes:
        output.say("Nothing changes.")
    for change in changes:
        style = {"added": "green", "removed": "red"}.get(change.kind, "yellow")
        thing = f"{change.what} {change.id}".rstrip()
        output.line([Cell(f"{_SIGNS[change.kind]} {thing}", style)], cut=True)
        for field in change.fields:
            _show_field(output, field)


def _show_field(output: Output, field: WorkflowFieldChange) -> None:
    if not field.text_diff:
        words = f"    {field.pointer}: {_short(field.before)} → {_short(field.after)}"
        output.line([words], cut=True)
        return
    output.line([f"    {field.pointer}:"], cut=True)
    for line in field.text_diff:
        output.line([Cell(f"      {line}", {"+": "green", "-": "red"}.get(line[:1], "dim"))], cut=True)


def _short(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def to_text(document: object) -> str:
    """Return a document as a person would have written it, for a file or an editor."""
    from omium.spec.reading_order import in_reading_order

    plain: Any = document
    return json.dumps(in_reading_order(plain), ensure_ascii=False, indent=2) + "\n"
