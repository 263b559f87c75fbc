"""`omium doctor`: looks at everything that can be wrong on this machine, and says what to do about it.

Owns the list of checks and how they are shown. Each check is a function that yields findings: what stands
on this machine is in checks.py, what only the server knows in checks_server.py. It changes nothing. With
`--chaos` it tries instead of looking: chaos.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from omium.cli.cells import Cell, state
from omium.cli.ending import FAILED, WrongUse
from omium.cli.options import AsJson, BaseUrl, NoColor, ProfileName, Quiet
from omium.cli.output import Output
from omium.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omium.cli.findings import Finding

ROUNDS: Final = 20
ROUNDS_MAX: Final = 100_000


def doctor(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Look at this server's data folder; else OMIUM_DATA_DIR, if it's here."),
    ] = None,
    chaos: Annotated[
        bool,
        typer.Option("--chaos", help="Kill a server of its own under load, again and again; count losses."),
    ] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="With --chaos: how many accidents. [default: 20]")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="With --chaos: begin no accident after this long.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="With --chaos: the same accidents as the run that printed it.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="With --chaos: leave the scratch folder; else only after a loss.")
    ] = False,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url", help="With --chaos: on this PostgreSQL, in a database that it makes and drops."
        ),
    ] = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Check installation, server, key, clock, disk and spool. Exit code 1 if something fails.

    With --chaos it does not look but try: a server of its own, in a scratch folder beside the data folder,
    is killed and loses its power under load. Exit code 1 if anything that was acknowledged was lost.

    \b
    omium doctor
    omium doctor --data ./omium --json
    omium doctor --chaos --rounds 100
    """
    output = Output(as_json=as_json, quiet=quiet, no_color=no_color)
    if chaos:
        from omium.cli.chaos import run_chaos

        run_chaos(
            output,
            data=data,
            rounds=rounds or _rounds(seconds),
            seconds=seconds,
            seed=seed,
            keep=keep,
            database_url=database_url,
        )
        return
    if keep or not (rounds is seconds is seed is None and database_url is None):
        raise WrongUse("--rounds, --seconds, --seed, --keep and --database-url go with --chaos.")
    findings: list[Finding] = []
    for finding in _look(data, base_url, profile):
        output.progress("")
        findings.append(finding)
        if not as_json:
            _show(output, finding)
        output.progress("… looking further")
    output.progress("")
    failed = sum(finding.level == "fail" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    if as_json:
        checks = [
            {"name": each.name, "status": each.level, "detail": each.detail, "remedy": each.remedy}
            for each in findings
        ]
        output.json({"ok": not failed, "failed": failed, "warned": warned, "checks": checks})
    else:
        output.say(f"\n{count(len(findings), 'check')}: {failed} failed, {count(warned, 'warning')}.")
    if failed:
        raise typer.Exit(FAILED)


def _rounds(seconds: float | None) -> int:
    return ROUNDS if seconds is None else ROUNDS_MAX


def _look(data: Path | None, base_url: str | None, profile: str | None) -> Iterator[Finding]:
    from omium.cli import checks, checks_database, checks_prices, checks_server, checks_settings

    yield from checks.check_installation()
    yield from checks_prices.check_model_prices()
    yield from checks.check_configuration(base_url, profile)
    yield from checks.check_spool()
    yield from checks_server.check_server(base_url, profile)
    yield from checks_settings.check_server_settings()
    yield from checks.check_data_folder(data)
    yield from checks_database.check_postgres()


def _show(output: Output, finding: Finding) -> None:
    if output.quiet and finding.level == "ok":
        return
    level = state(finding.level)
    head = Cell(f"{level.text:<8}{finding.name:<16}", level.style)
    output.facts([(head, finding.detail)])
    if finding.remedy:
        output.facts([(" " * 23 + "→", finding.remedy)])
