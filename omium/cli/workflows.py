"""`omium workflows list|show|versions|restore|archive|unarchive|tag`: what there is, and what counts.

Documents themselves (import, export, edit, graph) are workflow_documents.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from omium.cli.cells import Cell, state
from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.words import ago, count, now_us

if TYPE_CHECKING:
    from omium.models.workflows import SavedWorkflow, Workflow, WorkflowDetail

app = typer.Typer(
    help="Import workflows, look at them, edit, compare, run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ACTIVE: Final = "active"
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name.")]
NameAndVersion = Annotated[
    str, typer.Argument(metavar="NAME[@VERSION]", help="Its name; @3 or @TAG for another version.")
]
Note = Annotated[str, typer.Option("--note", help="Why; it's kept with the version.")]
Kind = Literal["spec", "code"]


@app.command("list")
@for_server
def list_workflows(
    common: Common,
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="spec: with a document; code: known by what ran.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only those with a version of this tag.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones, too.")] = False,
) -> None:
    """List workflows, with what ran last and what failed. Those that are only code are among them.

    \b
    omium workflows list
    omium workflows list --tag prod --json
    """
    with common.client() as client:
        found = list(client.each(client.list_workflows, kind=kind, tag=tag, archived=archived, limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("WORKFLOW", lambda w: w.name, give="cut", width_min=12),
            Column("VERSION", _version, align="right"),
            Column("FROM", lambda w: w.source_framework or w.kind, give="cut", spare=1),
            Column("LAST RUN", _last_run),
            Column("", lambda w: ago(w.last_execution.created_at_us, at_us) if w.last_execution else ""),
            Column("FAILURES", _failures, align="right"),
        ],
        found,
        empty="No workflows. Import one: omium workflows import FILE",
    )


def _version(workflow: Workflow) -> str:
    if workflow.version is None:
        return "-"
    return f"{workflow.version}{' archived' if workflow.archived else ''}"


def _last_run(workflow: Workflow) -> Cell:
    last = workflow.last_execution
    return Cell("never") if last is None else state(last.status.value, last.reason or "")


def _failures(workflow: Workflow) -> Cell:
    return Cell(str(workflow.open_failures), "red" if workflow.open_failures else "")


@app.command("show")
@for_server
def show_workflow(common: Common, name: Name) -> None:
    """Show a workflow: its active version and tags. Also what ran last, and what failed.

    \b
    omium workflows show research
    omium workflows show research --json
    """
    with common.client() as client:
        detail = client.get_workflow(name)
    if common.output.as_json:
        common.output.json(detail)
    else:
        _show(common, detail)


def _served_by(detail: WorkflowDetail) -> str | None:
    """Return the command line that serves a workflow in native mode."""
    if detail.mode != "native" or detail.active is None:
        return None
    document: Any = detail.active.document
    entrypoint = (document.get("runtime") or {}).get("entrypoint")
    return f"omium worker {entrypoint}" if entrypoint else "omium worker PATH.py:OBJECT"


def _show(common: Common, detail: WorkflowDetail) -> None:
    at_us, active, last = now_us(), detail.active, detail.last_execution
    common.output.facts(
        [
            ("Workflow", detail.name),
            ("Known by", "its executions; its definition is code" if active is None else None),
            ("Description", detail.description or None),
            ("Status", "archived" if detail.archived else None),
            ("Version", None if active is None else f"{active.version}{_label(detail.label)}"),
            ("Mode", detail.mode),
            ("Served by", _served_by(detail)),
            ("From", detail.source_framework or None),
            ("Saved", None if active is None else f"{ago(active.created_at_us, at_us)} by {active.author}"),
            ("Note", (active.note or None) if active else None),
            ("Tags", ", ".join(f"{each.tag} ({each.version})" for each in detail.tags) or None),
            ("Last run", f"{last.id}, {ago(last.created_at_us, at_us)}" if last else "never"),
            ("Ended as", state(last.status.value, last.reason or "") if last else None),
            (
                "Failures",
                f"{count(detail.open_failures, 'open group')}, {count(detail.open_occurrences, 'time')}",
            ),
        ]
    )
    if active is not None:
        common.output.say(f"See its graph: omium workflows graph {detail.name}")


def _label(label: str) -> str:
    return f" ({label})" if label else ""


@app.command("versions")
@for_server
def list_versions(common: Common, name: Name) -> None:
    """List the versions of a workflow, newest first.

    \b
    omium workflows versions research
    """
    with common.client() as client:
        found = list(client.each(client.list_workflow_versions, name, limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("VERSION", lambda v: str(v.version), align="right"),
            Column("LABEL", lambda v: v.label or "-", give="cut", spare=2),
            Column("SAVED", lambda v: ago(v.created_at_us, at_us)),
            Column("BY", lambda v: v.author, give="id", spare=1),
            Column("TAGS", lambda v: ", ".join(v.tags) or "-", give="cut", spare=3),
            Column("NOTE", _note_of, give="fold", width_min=12),
        ],
        found,
        empty="No versions.",
    )


def _note_of(version: object) -> str:
    restored = getattr(version, "restored_from", None)
    note = str(getattr(version, "note", ""))
    if restored is None:
        return note or "-"
    return f"version {restored} again" + (f": {note}" if note else "")


@app.command("restore")
@for_server
def restore_version(
    common: Common,
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="Which; see omium workflows versions.")],
    note: Note = "",
    yes: Yes = False,
) -> None:
    """Make an earlier version the active one again. It becomes a new version; none is lost.

    \b
    omium workflows restore research 2 --note "the shorter prompt was worse"
    """
    from omium.models.workflows import RestoreWorkflow

    with common.client() as client:
        now = client.get_workflow(name)
        common.output.confirm(
            f"Make version {version} of {now.name} the active one (now {now.version})?", yes=yes
        )
        done = client.restore_workflow(
            name, RestoreWorkflow(version=version, note=note, expected_version=now.version)
        )
    tell_saved(common, done)


@app.command("archive")
@for_server
def archive(common: Common, name: Name, yes: Yes = False) -> None:
    """Take a workflow out of use. Nothing starts or changes it; what runs goes on, all versions stay.

    \b
    omium workflows archive research --yes
    """
    common.output.confirm(f"Archive {name}? Nothing starts it until it is taken back.", yes=yes)
    with common.client() as client:
        detail = client.archive_workflow(name)
    _tell_archived(common, detail)


@app.command("unarchive")
@for_server
def unarchive(common: Common, name: Name) -> None:
    """Take an archived workflow into use again.

    \b
    omium workflows unarchive research
    """
    with common.client() as client:
        detail = client.unarchive_workflow(name)
    _tell_archived(common, detail)


def _tell_archived(common: Common, detail: WorkflowDetail) -> None:
    if common.output.as_json:
        common.output.json(detail)
    elif detail.archived:
        common.output.say(f"{detail.name} is archived. Take it back: omium workflows unarchive {detail.name}")
    else:
        common.output.say(f"{detail.name} is in use, with version {detail.version}.")


@app.command("tag")
@for_server
def tag_version(
    common: Common,
    name: NameAndVersion,
    tag: Annotated[str, typer.Argument(metavar="TAG", help="A word such as prod.")],
    delete: Annotated[bool, typer.Option("--delete", help="Forget the tag; the version stays.")] = False,
) -> None:
    """Let a tag name a version, the active one unless you say which. A tag that is there is moved.

    \b
    omium workflows tag research prod
    omium workflows tag research@3 prod
    omium workflows tag research prod --delete
    """
    from omium.models.workflows import TagWorkflow

    plain, version = split_name(name)
    with common.client() as client:
        if delete:
            if version != ACTIVE:
                raise WrongUse("A tag is deleted whatever it names; leave the version out.")
            client.untag_workflow(plain, tag)
            if common.output.as_json:
                common.output.json({"deleted": tag})
            else:
                common.output.say(f"{plain} has no tag {tag} any more.")
            return
        number = None if version == ACTIVE else client.get_workflow_version(plain, version).version
        done = client.tag_workflow(plain, tag, TagWorkflow(version=number))
    if common.output.as_json:
        common.output.json(done)
    else:
        common.output.say(f"{plain}@{tag} is version {done.version}.")


def split_name(text: str) -> tuple[str, str]:
    """Return the two halves of `NAME@VERSION`; the version is `active` where there is none."""
    name, found, version = text.rpartition("@")
    return (name, version) if found and name and version else (text, ACTIVE)


def tell_saved(common: Common, done: SavedWorkflow) -> None:
    """Print what became of a save."""
    output = common.output
    if output.as_json:
        output.json(done)
        return
    for warning in done.warnings:
        output.warn(f"{warning.pointer or '/'}: {warning.detail} {warning.suggestion}".rstrip())
    if done.saved:
        output.say(f"{done.name} is version {done.version}. Run it: omium workflows run {done.name}")
    else:
        output.say(f"{done.name} is version {done.version}; it is the same workflow, nothing was saved.")
