"""`omium keys list|create|show|update`: API keys. How they get other secrets and end is key_secrets.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from omium.cli.cells import Cell, state
from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.ids import KeyId, find_key_id
from omium.cli.spans import parse_moment
from omium.cli.table import Column
from omium.states import Environment, Scope
from omium.words import ago, iso_time, local_time, now_us

if TYPE_CHECKING:
    from omium.models.keys import ApiKey

app = typer.Typer(
    help="Manage API keys: their life, their caps, what they used.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Period = Literal["total", "day", "month"]
Status = Literal["active", "expired", "revoked"]
Scopes = Annotated[
    list[Scope] | None, typer.Option("--scope", help="What it may do; repeatable. [default: the usual ones]")
]
Workflows = Annotated[list[str] | None, typer.Option("--workflow", help="It may run only these; repeatable.")]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="WHEN", help="After 12h, 90d, 4w; or on 2027-01-31 (UTC).")
]
SpendCap = Annotated[
    str | None, typer.Option("--spend-cap", metavar="USD", help="What it may spend in each period.")
]
CapCredits = Annotated[
    str | None, typer.Option("--spend-cap-credits", metavar="CREDITS", help="The same in credits.")
]
SoftCap = Annotated[
    int | None,
    typer.Option("--soft-cap", metavar="PERCENT", min=1, max=99, help="Warn at this part of the cap."),
]


@app.command("list")
@for_server
def list_keys(
    common: Common,
    status: Annotated[Status | None, typer.Option("--status", help="Only those.")] = None,
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Only those of it.")
    ] = None,
) -> None:
    """List the tenant's keys. Those that have ended stay; secrets are never shown again.

    \b
    omium keys list
    omium keys list --status active --environment prod --json
    """
    with common.client() as client:
        keys = list(client.each(client.list_keys, status=status, environment=environment, limit=200))
    if common.output.as_json:
        common.output.json([plain(key) for key in keys])
        return
    at_us = now_us()
    common.output.table(
        [
            Column("KEY", lambda k: k.id, give="id"),
            Column("NAME", lambda k: k.name, give="cut"),
            Column("STATUS", lambda k: state(k.status.value)),
            Column("FOR", lambda k: k.environment.value),
            Column("SPENT", lambda k: _usd(k.spent_usd), align="right"),
            Column("CAP", _cap, spare=2),
            Column("MAY", lambda k: " ".join(scope.value for scope in k.scopes), give="cut", width_min=12),
            Column("WORKFLOWS", lambda k: ", ".join(k.workflows or []), give="cut", spare=4),
            Column("LAST USED", lambda k: ago(k.last_used_at_us, at_us), spare=1),
            Column("EXPIRES", lambda k: ago(k.expires_at_us, at_us), spare=3),
        ],
        keys,
        empty="No such keys. Create one: omium keys create --name NAME",
    )


@app.command("show")
@for_server
def show_key(common: Common, key_id: KeyId) -> None:
    """Show one key. What it may do, what it has spent, until when it is good.

    \b
    omium keys show ci
    omium keys show ak_01mcc5rm00ngqz8ctbd9ygs3xh --json
    """
    with common.client() as client:
        key = client.get_key(find_key_id(client, key_id))
    show(common, key)


@app.command("create")
@for_server
def create_key(
    common: Common,
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    environment: Annotated[
        Environment, typer.Option("--environment", help="Where its executions belong.")
    ] = Environment.DEV,
    scopes: Scopes = None,
    workflows: Workflows = None,
    expires: Expires = None,
    spend_cap: SpendCap = None,
    spend_cap_credits: CapCredits = None,
    cap_period: Annotated[
        Period | None, typer.Option("--cap-period", help="What the cap counts over. [default: total]")
    ] = None,
    soft_cap: SoftCap = None,
) -> None:
    """Create a key; its secret is shown this once.

    \b
    omium keys create --name ci --environment staging --expires 90d
    omium keys create --name nightly --spend-cap 5 --cap-period day --soft-cap 80
    omium keys create --name workers --environment prod --scope worker --workflow report
    """
    from omium.models.keys import CreateKey

    given: dict[str, Any] = {"name": name, "environment": environment}
    given |= _given(scopes=scopes, workflows=workflows, cap_period=cap_period, soft_cap_percent=soft_cap)
    given |= _given(spend_cap_usd=spend_cap, spend_cap_credits=spend_cap_credits)
    if expires is not None:
        given["expires_at_us"] = parse_moment(expires, now_us())
    with common.client() as client:
        made = client.create_key(CreateKey.model_validate(given))
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.api_key)
    say_where_it_goes(common, made.api_key_id, made.name)


@app.command("update")
@for_server
def update_key(
    common: Common,
    key_id: KeyId,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    scopes: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What it may do from now on; repeatable.")
    ] = None,
    workflows: Workflows = None,
    all_workflows: Annotated[
        bool, typer.Option("--all-workflows", help="It may run every workflow again.")
    ] = False,
    expires: Expires = None,
    no_expiry: Annotated[bool, typer.Option("--no-expiry", help="It's good until it is revoked.")] = False,
    spend_cap: SpendCap = None,
    spend_cap_credits: CapCredits = None,
    cap_period: Annotated[
        Period | None, typer.Option("--cap-period", help="What the cap counts over from now on.")
    ] = None,
    soft_cap: SoftCap = None,
    no_soft_cap: Annotated[bool, typer.Option("--no-soft-cap", help="Warn no more.")] = False,
    no_cap: Annotated[bool, typer.Option("--no-cap", help="It may spend what the tenant has.")] = False,
) -> None:
    """Change a key. What is not named stays; what the key has spent already counts under a new cap, too.

    \b
    omium keys update ci --name "ci of the new repository"
    omium keys update ci --spend-cap 20 --cap-period month --soft-cap 75
    omium keys update ci --no-cap --expires 2027-01-31
    """
    from omium.models.keys import UpdateKey

    given = _given(name=name, scopes=scopes, workflows=workflows, cap_period=cap_period)
    given |= _given(spend_cap_usd=spend_cap, spend_cap_credits=spend_cap_credits, soft_cap_percent=soft_cap)
    if expires is not None:
        given["expires_at_us"] = parse_moment(expires, now_us())
    for flag, taken, field, others in (
        ("--all-workflows", all_workflows, "workflows", ()),
        ("--no-expiry", no_expiry, "expires_at_us", ()),
        ("--no-soft-cap", no_soft_cap, "soft_cap_percent", ()),
        ("--no-cap", no_cap, "spend_cap_usd", ("spend_cap_credits", "soft_cap_percent", "cap_period")),
    ):
        if taken and given.keys() & {field, *others}:
            raise WrongUse(f"{flag} takes away what another option sets; give one of them.")
        if taken:
            given[field] = None
    if not given:
        raise WrongUse("Nothing to change; see what there is: omium keys update --help")
    with common.client() as client:
        key = client.update_key(find_key_id(client, key_id), UpdateKey.model_validate(given))
    show(common, key)


def plain(key: ApiKey) -> dict[str, object]:
    """Return a key as `--json` prints it: with times for people beside the exact ones."""
    return key.model_dump(mode="json") | {
        "created_at": iso_time(key.created_at_us),
        "last_used_at": iso_time(key.last_used_at_us),
        "expires_at": iso_time(key.expires_at_us),
    }


def show(common: Common, key: ApiKey) -> None:
    """Print one key."""
    if common.output.as_json:
        common.output.json(plain(key))
        return
    at_us = now_us()
    common.output.facts(
        [
            ("Key", f"{key.name} ({key.id})"),
            ("Status", state(key.status.value)),
            ("Environment", key.environment.value),
            ("May", " ".join(scope.value for scope in key.scopes)),
            ("Workflows", "all" if key.workflows is None else ", ".join(key.workflows) or "none"),
            ("Spent", _usd(key.spent_usd)),
            ("Cap", _cap(key)),
            ("Created", ago(key.created_at_us, at_us)),
            ("Last used", ago(key.last_used_at_us, at_us)),
            ("Expires", None if key.expires_at_us is None else _moment(key.expires_at_us, at_us)),
            ("Revoked", None if key.revoked_at_us is None else _moment(key.revoked_at_us, at_us)),
            ("Rotated", None if key.rotated_at_us is None else _moment(key.rotated_at_us, at_us)),
            (
                "Old secret",
                None
                if key.old_secret_ends_at_us is None
                else f"ends {ago(key.old_secret_ends_at_us, at_us)}",
            ),
        ]
    )


def say_where_it_goes(common: Common, key_id: str, name: str) -> None:
    """Say that a secret is shown once, and where it belongs."""
    common.output.say(
        f"That is the only time that {name} ({key_id}) is shown whole. Keep it in a profile (omium init), in"
        " OMIUM_API_KEY, or in a file of mode 0600 that OMIUM_API_KEY_FILE names."
    )


def _given(**options: object) -> dict[str, Any]:
    return {name: option for name, option in options.items() if option is not None}


def _usd(amount: float) -> str:
    return f"${amount:,.2f}" if amount == 0 or amount >= 0.01 else f"${amount:.6f}"


def _cap(key: ApiKey) -> str | Cell:
    if key.spend_cap_usd is None or key.cap_period is None:
        return "-"
    over = "" if key.cap_period.value == "total" else f" a {key.cap_period.value}"
    spent = key.period_spent_usd or 0.0
    words = f"{_usd(spent)} of {_usd(key.spend_cap_usd)}{over}"
    if key.soft_cap_percent is not None:
        words += f", warns at {key.soft_cap_percent} %"
    near = key.soft_cap_percent if key.soft_cap_percent is not None else 100
    return Cell(words, "yellow") if spent * 100 >= key.spend_cap_usd * near else words


def _moment(at_us: int, at_present_us: int) -> str:
    return f"{ago(at_us, at_present_us)} ({local_time(at_us)})"
