"""The form of an API key: its fields, and what a filled form asks the server for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omium.models.keys import ApiKey, CapPeriod
from omium.states import Environment, Scope
from omium.tui.checks import whole_number
from omium.tui.dialogs import Field
from omium.words import money, now_us

DAY_US: Final = 86_400_000_000
_PERCENT: Final = whole_number("A number from 1 to 99.", least=1, most=99)
_DAYS: Final = whole_number("A number of days.", least=1, most=3650)


def fields_of(key: ApiKey | None) -> list[Field]:
    """Return the fields for a key as it is, or for a new one."""
    scopes = " ".join(scope.value for scope in (key.scopes if key else ()))
    fields = [Field("name", "Name", key.name if key else "", required=True, placeholder="my-laptop")]
    if key is None:
        choices = tuple(each.value for each in Environment)
        fields.append(
            Field("environment", "Environment", "dev", kind="choice", choices=choices, required=True)
        )
    cap = "" if key is None or key.spend_cap_usd is None else money(key.spend_cap_usd).replace(",", "")
    period = key.cap_period.value if key and key.cap_period else CapPeriod.TOTAL.value
    periods = tuple(each.value for each in CapPeriod)
    soft = "" if key is None or key.soft_cap_percent is None else str(key.soft_cap_percent)
    return [
        *fields,
        Field("cap", "Spend cap in dollars", cap, help="Empty: none of its own.", check=_wrong_cap),
        Field("period", "The cap counts", period, kind="choice", choices=periods, required=True),
        Field("soft", "Warn at percent of the cap", soft, check=_PERCENT),
        Field("days", "Ends in days", "", help="Empty: " + ("as it is." if key else "never."), check=_DAYS),
        Field(
            "scopes",
            "May",
            scopes,
            check=_wrong_scopes,
            help=f"Of {' '.join(scope.value for scope in Scope)}."
            + ("" if key else " Empty: read run operate worker."),
        ),
        Field(
            "workflows",
            "Only these workflows",
            " ".join(key.workflows or ()) if key else "",
            help="Names with blanks between them; empty: all.",
        ),
    ]


def read_form(given: Mapping[str, str]) -> dict[str, object]:
    """Return a form's values as a command has them; what was left empty is None."""
    cap = given["cap"].strip().removeprefix("$")
    return {
        "name": given["name"].strip(),
        "spend_cap_usd": cap or None,
        "cap_period": given["period"],
        "soft_cap_percent": int(given["soft"]) if given["soft"].strip() else None,
        "expires_at_us": now_us() + int(given["days"]) * DAY_US if given["days"].strip() else None,
        "scopes": given["scopes"].split() or None,
        "workflows": given["workflows"].split() or None,
    }


def changes_of(key: ApiKey, values: dict[str, object]) -> dict[str, object]:
    """Return what differs from the key as it is; a cap's period and warning go with the cap."""
    if values["expires_at_us"] is None:
        del values["expires_at_us"]
    if values["scopes"] is None:
        del values["scopes"]
    if values["spend_cap_usd"] is None:
        del values["cap_period"], values["soft_cap_percent"]
        if key.spend_cap_usd is None:
            del values["spend_cap_usd"]
    return values


def _wrong_cap(text: str) -> str | None:
    try:
        right = not text.strip() or float(text.strip().removeprefix("$")) > 0
    except ValueError:
        right = False
    return None if right else "Dollars above zero, such as 20 or 2.50."


def _wrong_scopes(text: str) -> str | None:
    known = {scope.value for scope in Scope}
    wrong = [word for word in text.split() if word not in known]
    return f"There is no scope {wrong[0]}." if wrong else None
