"""`omium db backup|restore|verify|migrate|export|new-key`: the operator's own.

Against a running server `backup` and `verify` go through it: nobody else may open its file. The others work
on the files of a stopped one and say so when it runs. These import the server: they take its place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, make_common
from omium.cli.options import AsJson, BaseUrl, NoColor, ProfileName, Quiet, Yes
from omium.cli.table import Column
from omium.cli.words import json_text, size
from omium.errors import ConfigError, StorageError
from omium.safetext import safe_text

if TYPE_CHECKING:
    import sqlite_utils

    from omium.models.server import Verification
    from omium.server.settings import ServerSettings

app = typer.Typer(
    help="Look after the database and its backups.", no_args_is_help=True, rich_markup_mode=None
)

Data = Annotated[
    Path | None,
    typer.Option("--data", help="The data folder of a server that is stopped; else OMIUM_DATA_DIR."),
]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="postgresql://…; else SQLite in that folder.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Read the files; do not ask the server.")]


def _settings(data: Path | None, database: str | None) -> ServerSettings:
    from omium.server.settings import ServerSettings

    os.umask(0o077)
    return ServerSettings.load(data=data, database_url=database)


@app.command("backup")
def backup(
    target: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="The new file; a server takes only a name.")
    ] = None,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Copy the key file, too: whoever has both reads everything.")
    ] = False,
    offline: Offline = False,
    data: Data = None,
    database: DatabaseUrl = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Copy the database while work goes on. A running server writes into its own backup folder.

    \b
    omium db backup
    omium db backup before-upgrade --with-keys
    omium db backup --offline --data ./omium /mnt/backup/omium.sqlite
    """
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    if not offline and data is None and database is None:
        from omium.models.server import MakeBackup

        with common.client() as client:
            made = client.make_backup(MakeBackup(name=target, with_keys=with_keys))
        facts = {
            "file": made.file,
            "size_bytes": made.size_bytes,
            "key_file": made.key_file,
            "note": made.note,
        }
    else:
        facts = _backup_offline(_settings(data, database), target, with_keys=with_keys)
    if as_json:
        common.output.json(facts)
        return
    common.output.facts(
        [
            ("Backup", str(facts["file"])),
            ("Size", size(int(str(facts["size_bytes"])))),
            ("Keys", None if facts["key_file"] is None else str(facts["key_file"])),
        ]
    )
    common.output.say(str(facts["note"]))


def _backup_offline(settings: ServerSettings, target: str | None, *, with_keys: bool) -> dict[str, object]:
    import shutil

    from omium.server.db.offline import backup_file

    if target is None:
        raise ConfigError("Name the new file: omium db backup --offline FILE")
    file = Path(target).absolute()
    backup_file(settings.database, file)
    key_file = None
    note = "The key file is not in this backup: keep it elsewhere, or sealed values and API keys are lost."
    if with_keys:
        key_file = file.with_name(file.name + ".keys.json")
        if key_file.exists():
            raise ConfigError(f"{key_file} exists already; it is not overwritten.")
        shutil.copyfile(settings.key_file, key_file)
        note = "The key file lies beside this backup: whoever has both can read everything."
    return {
        "file": str(file),
        "size_bytes": file.stat().st_size,
        "key_file": None if key_file is None else str(key_file),
        "note": note,
    }


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    keys: Annotated[
        Path | None, typer.Option("--keys", help="The key file that belongs to it, to be put in place, too.")
    ] = None,
    data: Data = None,
    database: DatabaseUrl = None,
    yes: Yes = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Put a backup in the place of a stopped server's database. What was there is set aside.

    \b
    omium db restore ~/.local/share/omium/backups/omium-20261122T101500Z.sqlite
    omium db restore backup.sqlite --keys backup.sqlite.keys.json --data ./omium
    """
    from omium.server.db.offline import restore_file

    common = make_common(None, None, as_json=as_json, quiet=quiet, no_color=no_color)
    settings = _settings(data, database)
    common.output.confirm(f"Replace the database in {settings.data} by {file}?", yes=yes)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = restore_file(file, settings.database, replace=True)
    if keys is not None:
        _put_keys(keys, settings.key_file)
    facts = {"restored": str(file), "set_aside": None if aside is None else str(aside)}
    if as_json:
        common.output.json(facts)
        return
    common.output.say(f"Restored {file}." + (f" What was there is in {aside}." if aside else ""))
    if keys is None and not settings.key_file.exists():
        common.output.warn(
            f"There is no key file {settings.key_file}: put back the one of this backup (--keys)."
        )


def _put_keys(source: Path, target: Path) -> None:
    import shutil

    if target.exists() and target.read_bytes() != source.read_bytes():
        aside = target.with_name(f"{target.name}.before-restore")
        if aside.exists():
            raise ConfigError(f"{aside} exists already; move it away first, it holds keys.")
        target.rename(aside)
    shutil.copyfile(source, target)
    target.chmod(0o600)


@app.command("verify")
def verify(
    offline: Offline = False,
    data: Data = None,
    database: DatabaseUrl = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Check that the stored data is whole. And that its rules hold; exit code 1 if not.

    \b
    omium db verify
    omium db verify --offline --data ./omium
    """
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    if not offline and data is None and database is None:
        with common.client() as client:
            found = client.verify_data()
    else:
        import asyncio

        found = asyncio.run(_verify_offline(_settings(data, database)))
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
def migrate(
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Bring the database of a stopped server up to date. `omium serve` does it when it starts.

    \b
    omium db migrate --data ./omium
    """
    from omium.server.db.offline import migrate_file

    common = make_common(None, None, as_json=as_json, quiet=quiet, no_color=no_color)
    applied = migrate_file(_settings(data, database).database)
    if as_json:
        common.output.json({"applied": applied})
    else:
        common.output.say(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="BACKUP", help="A backup (SQLite); never the live file.")],
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="Which table. [default: list them]")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of JSON lines.")] = False,
    no_color: NoColor = False,
) -> None:
    """Print a table of a backup as JSON lines or CSV. Without a table, list the tables.

    \b
    omium db export backup.sqlite
    omium db export backup.sqlite executions --csv > executions.csv
    """
    import contextlib
    import sqlite3

    import sqlite_utils

    if not file.is_file():
        raise StorageError(f"There is no backup {file}.")
    connection = sqlite3.connect(f"file:{file.absolute()}?mode=ro", uri=True)
    with contextlib.closing(connection):
        _export(sqlite_utils.Database(connection), file, table, as_csv=as_csv, no_color=no_color)


def _export(
    opened: sqlite_utils.Database, file: Path, table: str | None, *, as_csv: bool, no_color: bool
) -> None:
    common = make_common(None, None, as_json=False, no_color=no_color)
    if table is None:
        common.output.table(
            [Column("TABLE", str), Column("ROWS", lambda name: f"{opened[name].count:,}", align="right")],
            opened.table_names(),
            empty=f"There is no table in {file}.",
        )
        return
    if table not in opened.table_names():
        raise ConfigError(
            f"There is no table {table!r} in {file}; there are {', '.join(opened.table_names())}."
        )
    rows = ({name: _plain(value) for name, value in row.items()} for row in opened[table].rows)
    if not as_csv:
        for row in rows:
            sys.stdout.write(json_text(row) + "\n")
        return
    import csv

    if sys.stdout.isatty():  # a file gets every byte as it is, a terminal only what it does not obey
        rows = (
            {name: safe_text(value) if isinstance(value, str) else value for name, value in row.items()}
            for row in rows
        )
    writer = csv.DictWriter(sys.stdout, [column.name for column in opened[table].columns])
    writer.writeheader()
    writer.writerows(rows)


def _plain(value: object) -> object:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"hex:{value.hex()}"


@app.command("new-key")
def new_key(
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Make another owner's key for a stopped server. For when the first one was lost; on its machine.

    \b
    omium db new-key --data ./omium
    """
    import asyncio

    from omium.server.recovery import make_owner_key

    common = make_common(None, None, as_json=as_json, quiet=quiet, no_color=no_color)
    made = asyncio.run(make_owner_key(_settings(data, database)))
    if as_json:
        common.output.json(made)
        return
    common.output.show(made.api_key)
    common.output.say(f"A key of tenant {made.tenant} with every scope, shown this once. Use it: omium init")
