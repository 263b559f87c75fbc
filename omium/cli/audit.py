"""`omium audit list|export|verify`: who did what."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from omium.cli.cells import state
from omium.cli.context import Common, for_server
from omium.cli.spans import parse_past
from omium.cli.spreadsheet import refuse_both, write_csv
from omium.cli.table import Column
from omium.errors import ConfigError, StorageError
from omium.words import ago, json_text, now_us

if TYPE_CHECKING:
    from omium.models.audit import AuditEntry, AuditHead

app = typer.Typer(help="See who did what; export, verify.", no_args_is_help=True, rich_markup_mode=None)

Actor = Annotated[str | None, typer.Option("--actor", help="Only of this key or user, by id.")]
Action = Annotated[str | None, typer.Option("--action", help="Only this deed, such as key.created.")]
On = Annotated[str | None, typer.Option("--on", help="Only on this target, by id or name.")]
Result = Annotated[Literal["done", "refused"] | None, typer.Option("--result", help="Only these.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="From 12h ago, or 2026-11-01, on.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Before 12h ago, or 2026-11-01.")]


@app.command("list")
@for_server
def list_audit(
    common: Common,
    actor: Actor = None,
    action: Action = None,
    on: On = None,
    result: Result = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50,
) -> None:
    """List the audit log, newest first. Who did what, on what, when, from where, with which result.

    \b
    omium audit list
    omium audit list --action key.created --since 2026-11-01
    """
    after_us, before_us = _read_time(since), _read_time(until)
    with common.client() as client:
        found = client.each(
            client.list_audit,
            actor=actor,
            action=action,
            target=on,
            result=result,
            after_us=after_us,
            before_us=before_us,
            limit=min(limit, 200),
        )
        entries = list(islice(found, limit))
    if common.output.as_json:
        common.output.json(entries)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("WHEN", lambda e: ago(e.at_us, at_us)),
            Column("WHO", lambda e: e.actor_id or e.actor_kind, give="id"),
            Column("DID", lambda e: e.action),
            Column("ON", lambda e: e.target, give="cut", width_min=12),
            Column("RESULT", lambda e: state(e.result, e.code)),
            Column("FROM", lambda e: e.address, spare=1),
        ],
        entries,
        empty="Nothing in the audit log fits. It begins with the first key, member or setting.",
    )


@app.command("export")
@for_server
def export_audit(
    common: Common,
    actor: Actor = None,
    action: Action = None,
    on: On = None,
    result: Result = None,
    since: Since = None,
    until: Until = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of JSON lines.")] = False,
) -> None:
    """Print the audit log, oldest first, as JSON lines or CSV. JSON lines can be checked without the server.

    \b
    omium audit export > audit.jsonl
    omium audit export --since 2026-11-01 --csv > november.csv
    """
    refuse_both(common.output, as_csv=as_csv)
    after_us, before_us = _read_time(since), _read_time(until)
    with common.client() as client:
        entries = client.each(
            client.list_audit,
            actor=actor,
            action=action,
            target=on,
            result=result,
            after_us=after_us,
            before_us=before_us,
            oldest_first=True,
            limit=500,
        )
        if as_csv:
            _write_csv(entries)
            return
        for entry in entries:
            sys.stdout.write(json_text(entry.model_dump(mode="json")) + "\n")


@app.command("verify")
@for_server
def verify_audit(
    common: Common,
    file: Annotated[
        Path | None, typer.Option("--file", help="Check this export instead, without a server.")
    ] = None,
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", help="Compare with heads noted earlier: a log, or a backup's list."),
    ] = None,
) -> None:
    """Check that the audit log is as it was written. Exit code 1 if it isn't.

    \b
    omium audit verify
    omium audit verify --anchors backups/omium.sqlite.audit.jsonl
    omium audit verify --file audit.jsonl --anchors server.log
    """
    noted = _read_anchors(anchors) if anchors is not None else []
    if file is not None:
        problems, checked = _check_file(file, noted)
    else:
        from omium.models.audit import CheckAudit

        with common.client() as client:
            found = client.verify_audit(CheckAudit(anchors=noted[-1_000:]))
        problems = found.problems
        checked = found.head.seq if found.head is not None else 0
    if common.output.as_json:
        common.output.json({"problems": problems, "entries": checked, "anchors": len(noted)})
    else:
        for problem in problems:
            common.output.warn(problem)
        common.output.say(
            f"{checked} entries, {len(noted)} anchors: "
            + (f"{len(problems)} problems." if problems else "all is as it was written.")
        )
    if problems:
        raise typer.Exit(1)


def _check_file(file: Path, noted: list[AuditHead]) -> tuple[list[str], int]:
    from omium.auditchain import check_export

    entries = list(_read_lines(file))
    anchors = {(head.tenant_id, head.seq): head.digest for head in noted}
    tenants = {str(entry.get("tenant_id")) for entry in entries}
    own = {key: digest for key, digest in anchors.items() if key[0] in tenants}  # a log tells of all tenants
    return list(check_export(entries, own)), len(entries)


def _read_lines(file: Path) -> Iterator[dict[str, object]]:
    """Yield the JSON objects in `file`; lines that are something else are passed over."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                start = line.find("{")
                try:
                    found = json.loads(line[start:]) if start >= 0 else None
                except ValueError:
                    found = None
                if isinstance(found, dict):
                    yield found
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}.") from error


def _read_anchors(file: Path) -> list[AuditHead]:
    """Return the heads in a server's log (JSON lines) or in the list beside a backup."""
    from pydantic import ValidationError

    from omium.models.audit import AuditHead

    found = []
    for line in _read_lines(file):
        if line.get("event", "audit head") != "audit head":
            continue
        try:
            found.append(AuditHead.model_validate(line))
        except ValidationError:
            continue
    if not found:
        raise ConfigError(f"There are no heads in {file}: take a server's log in JSON, or a backup's list.")
    return found


def _write_csv(entries: Iterator[AuditEntry]) -> None:
    from omium.models.audit import AuditEntry

    rows = (entry.model_dump(mode="json") for entry in entries)
    write_csv(
        list(AuditEntry.model_fields),
        ((row | {"detail": json_text(row["detail"])}).values() for row in rows),
    )


def _read_time(text: str | None) -> int | None:
    return None if text is None else parse_past(text, now_us())
