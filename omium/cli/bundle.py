"""`omium bundle create|open`: an execution in one file, and such a file looked at, without a server.

What a bundle is and how it is read is omium.bundle's; what is printed of one is bundle_report.py's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.bundle_report import summarise, tell_json, tell_value, tell_words
from omium.cli.context import Common, for_server, for_this_machine
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.options import Yes
from omium.errors import BundleError
from omium.words import count, size

if TYPE_CHECKING:
    from omium.bundle import Bundle, Progress, WrittenBundle
    from omium.cli.output import Output
    from omium.config import Settings

app = typer.Typer(
    help="Put an execution into one file; open one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("create")
@for_server
def create(
    common: Common,
    execution_id: ExecutionId,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The new file; else ID.omium, here.")
    ] = None,
    with_children: Annotated[
        bool, typer.Option("--with-children", help="Hold the executions below it whole, too.")
    ] = False,
    without_values: Annotated[
        bool, typer.Option("--without-values", help="Leave out inputs, outputs, states and logs.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Put an execution into one file. All that the API shows of it, secrets masked, to be opened elsewhere.

    \b
    omium bundle create last
    omium bundle create ex_01mcc5rm00ngqz8ctbd9ygs3xh -o broken.omium --with-children
    omium bundle create last --without-values --yes --json
    """
    from omium.bundle import name_bundle

    with common.client() as client:
        wanted, settings = find_execution_id(client, execution_id), client.settings
    path = file or Path(name_bundle(wanted))
    if path.is_file():
        common.output.confirm(f"{path} exists already. Overwrite it?", yes=yes)
    try:
        made = _write(
            common.output, settings, wanted, path, with_children=with_children, without_values=without_values
        )
    finally:
        common.output.progress("")
    if common.output.as_json:
        common.output.json(
            {"file": str(made.path), "size_bytes": made.size_bytes, "sha256": made.sha256}
            | summarise(made.manifest)
        )
        return
    _tell_made(common.output, made)


def _write(
    output: Output,
    settings: Settings,
    execution_id: str,
    path: Path,
    *,
    with_children: bool,
    without_values: bool,
) -> WrittenBundle:
    import asyncio

    from omium.bundle import write_bundle
    from omium.sdk.async_client import AsyncClient

    def tell(progress: Progress) -> None:
        output.progress(
            f"{progress.execution_id}: {progress.what} {progress.items:,}, {size(progress.size_bytes)}"
        )

    overwrite = path.is_file()  # that was agreed to

    async def write() -> WrittenBundle:
        async with AsyncClient(settings=settings) as client:
            return await write_bundle(
                client,
                execution_id,
                path,
                tell if output.live else None,
                with_children=with_children,
                with_values=not without_values,
                overwrite=overwrite,
            )

    return asyncio.run(write())


def _tell_made(output: Output, made: WrittenBundle) -> None:
    manifest = made.manifest
    output.facts(
        [
            ("Bundle", str(made.path)),
            ("Size", size(made.size_bytes)),
            ("SHA-256", made.sha256),
            ("Holds", count(len(manifest.executions), "execution")),
            ("Masked", count(manifest.redacted, "secret") if manifest.redacted else None),
        ]
    )
    if any(not held.settled for held in manifest.executions):
        output.warn("It went on while it was read: parts of the bundle may be of different moments.")
    for left_out in manifest.left_out[:10]:
        output.warn(f"Left out: {left_out.what} of {left_out.execution_id}: {left_out.why}")
    if len(manifest.left_out) > 10:
        output.warn(f"… and {len(manifest.left_out) - 10:,} more; its manifest names them all.")
    output.say(f"\nLook at it anywhere: omium bundle open {made.path}")


@app.command("open")
@for_this_machine
def open_file(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle.")],
    plain: Annotated[bool, typer.Option("--plain", help="Print a report, also on a terminal.")] = False,
    execution_id: Annotated[
        str | None,
        typer.Option("--execution", metavar="ID", help="One that it holds; else the one it was made of."),
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help="Print only this step's output, whole.")
    ] = None,
) -> None:
    """Look at a bundle without a server. What failed, its steps, errors, effects, cost and events.

    On a terminal in the dashboard's screens, else as a report. Every part is checked against its digest
    first. Nothing of it runs, and nothing is written.

    \b
    omium bundle open broken.omium
    omium bundle open broken.omium --plain
    omium bundle open broken.omium --execution ex_01mcc5rm00ngqz8ctbd9ygs3xh
    omium bundle open broken.omium --step write --json > written.json
    """
    from omium.bundle import open_bundle

    output = common.output
    with open_bundle(file) as bundle:
        try:
            bundle.verify(lambda part, of: _tell_checked(output, part, of))
        finally:
            output.progress("")
        wanted = _choose(bundle, execution_id)
        if step is not None:
            tell_value(output, bundle, wanted, step)
        elif output.as_json:
            tell_json(output, bundle, wanted)
        elif not plain and _has_terminal():
            _look(bundle, wanted)
        else:
            tell_words(output, bundle, wanted)


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _look(bundle: Bundle, execution_id: str) -> None:
    from omium.bundle import BundleClient
    from omium.tui.app import DashboardApp

    DashboardApp(lambda: BundleClient(bundle), offline=True, start=execution_id).run()


def _tell_checked(output: Output, part: int, of: int) -> None:
    if part % 100 == 0:
        output.progress(f"Checking part {part:,} of {of:,}")


def _choose(bundle: Bundle, given: str | None) -> str:
    manifest = bundle.manifest
    if given is None:
        return manifest.execution_id
    held = [each.id for each in manifest.executions]
    found = [each for each in held if each == given] or [each for each in held if each.endswith(given)]
    if len(found) == 1:
        return found[0]
    raise BundleError(
        f"{bundle.path.name} holds no single execution {given!r}; it holds {', '.join(held[:5])}."
    )
