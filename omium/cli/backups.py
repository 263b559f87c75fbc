"""`omium db backup|restore`: a copy of the database while work goes on, and back from one.

Against a running server `backup` goes through it: nobody else may open its file. `restore` works on the files
of a stopped one and says so when it runs. Both import the server where they take its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import LONG_S, Common, for_server, for_this_machine
from omium.cli.folder import Data, DatabaseUrl, Offline, settings_of
from omium.cli.options import Yes
from omium.errors import ConfigError
from omium.words import size

if TYPE_CHECKING:
    from omium.server.settings import ServerSettings


@for_server
def backup(
    common: Common,
    target: Annotated[
        str | None, typer.Argument(metavar="FILE", help="The new file; a server takes only a name.")
    ] = None,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Copy the key file, too: whoever has both reads everything.")
    ] = False,
    offline: Offline = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Copy the database while work goes on. A running server writes into its own backup folder.

    \b
    omium db backup
    omium db backup before-upgrade --with-keys
    omium db backup --offline --data ./omium /mnt/backup/omium.sqlite
    """
    if not offline and data is None and database is None:
        from omium.models.server import MakeBackup

        with common.client(timeout_s=LONG_S) as client:
            made = client.make_backup(MakeBackup(name=target, with_keys=with_keys))
        facts = {
            "file": made.file,
            "size_bytes": made.size_bytes,
            "key_file": made.key_file,
            "note": made.note,
        }
    else:
        facts = _backup_offline(settings_of(data, database), target, with_keys=with_keys)
    if common.output.as_json:
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


@for_this_machine
def restore(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    keys: Annotated[
        Path | None, typer.Option("--keys", help="The key file that belongs to it, to be put in place, too.")
    ] = None,
    data: Data = None,
    database: DatabaseUrl = None,
    yes: Yes = False,
) -> None:
    """Put a backup in the place of a stopped server's database. What was there is set aside.

    \b
    omium db restore ~/.local/share/omium/backups/omium-20261122T101500Z.sqlite
    omium db restore backup.sqlite --keys backup.sqlite.keys.json --data ./omium
    """
    from omium.server.db.offline import restore_file

    settings = settings_of(data, database)
    common.output.confirm(f"Replace the database in {settings.data} by {file}?", yes=yes)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = restore_file(file, settings.database, replace=True)
    if keys is not None:
        _put_keys(keys, settings.key_file)
    facts = {"restored": str(file), "set_aside": None if aside is None else str(aside)}
    if common.output.as_json:
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
