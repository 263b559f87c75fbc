"""`omium db backup|restore|verify|migrate|compact|export|new-key`: the operator's own.

Against a running server `backup` and `verify` go through it: nobody else may open its file. The others work
on the files of a stopped one and say so when it runs. These import the server: they take its place. What
copies is in backups.py and export.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from omium.cli import backups
from omium.cli.context import LONG_S, Common, for_server, for_this_machine
from omium.cli.export import export
from omium.cli.folder import Data, DatabaseUrl, Offline, settings_of
from omium.words import size

if TYPE_CHECKING:
    from omium.models.server import Verification
    from omium.server.settings import ServerSettings

app = typer.Typer(
    help="Look after the database and its backups.", no_args_is_help=True, rich_markup_mode=None
)

app.command("backup")(backups.backup)
app.command("restore")(backups.restore)


@app.command("verify")
@for_server
def verify(
    common: Common,
    offline: Offline = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Check that the stored data is whole. And that its rules hold; exit code 1 if not.

    \b
    omium db verify
    omium db verify --offline --data ./omium
    """
    if not offline and data is None and database is None:
        with common.client(timeout_s=LONG_S) as client:
            found = client.verify_data()
    else:
        import asyncio

        found = asyncio.run(_verify_offline(settings_of(data, database)))
    _show_verification(common, found)


async def _verify_offline(settings: ServerSettings) -> Verification:
    from omium.server.app import open_app
    from omium.server.routes.admin import verify_all

    async with open_app(settings) as app_:
        return await verify_all(app_.server)


def _show_verification(common: Common, found: Verification) -> None:
    if common.output.as_json:
        common.output.json(found)
    else:
        for problem in found.problems:
            common.output.warn(problem)
        checked = f"{len(found.checks)} checks"
        common.output.say(
            f"{checked}, {len(found.problems)} problems." if found.problems else f"{checked}, all well."
        )
    if found.problems:
        raise typer.Exit(1)


@app.command("migrate")
@for_this_machine
def migrate(common: Common, data: Data = None, database: DatabaseUrl = None) -> None:
    """Bring the database of a stopped server up to date. `omium serve` does it when it starts.

    \b
    omium db migrate --data ./omium
    """
    from omium.server.db.offline import migrate_file

    applied = migrate_file(settings_of(data, database).database)
    if common.output.as_json:
        common.output.json({"applied": applied})
    else:
        common.output.say(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")


@app.command("compact")
@for_this_machine
def compact(common: Common, data: Data = None, database: DatabaseUrl = None) -> None:
    """Give free space inside a stopped server's file back. A running one reuses it instead.

    \b
    omium db compact --data ./omium
    """
    from omium.server.db.offline import compact_file

    before_bytes, after_bytes = compact_file(settings_of(data, database).database)
    if common.output.as_json:
        common.output.json({"before_bytes": before_bytes, "after_bytes": after_bytes})
    else:
        common.output.say(f"The database had {size(before_bytes)}, and has {size(after_bytes)} now.")


app.command("export")(export)


@app.command("new-key")
@for_this_machine
def new_key(common: Common, data: Data = None, database: DatabaseUrl = None) -> None:
    """Make another owner's key for a stopped server. For when the first one was lost; on its machine.

    \b
    omium db new-key --data ./omium
    """
    import asyncio

    from omium.server.recovery import make_owner_key

    made = asyncio.run(make_owner_key(settings_of(data, database)))
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.api_key)
    common.output.say(f"A key of tenant {made.tenant} with every scope, shown this once. Use it: omium init")
