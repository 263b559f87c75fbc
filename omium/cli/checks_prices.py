"""A check of the bundled table of model prices: how old it is. The table never fetches anything."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Final

from omium.cli.findings import Finding
from omium.pricing.table import read_edition, read_table

AGE_WARN_DAYS: Final = 183


def check_model_prices(today: dt.date | None = None) -> Iterator[Finding]:
    """Give a hint where the table is older than half a year; `today` is UTC."""
    today = today or dt.datetime.fromtimestamp(time.time(), dt.UTC).date()
    edition = read_edition()
    age_days = (today - dt.date.fromisoformat(edition.as_of)).days
    models = sum(len(provider.models) for provider in read_table().providers.values())
    said = f"of {edition.as_of}, {models:,} models"
    if age_days <= AGE_WARN_DAYS:
        yield Finding("ok", "Model prices", said)
        return
    yield Finding(
        "warn",
        "Model prices",
        f"{said}: {age_days} days old, so newer models are unknown and some prices others",
        "Install a newer Omium, or add rules for what changed: omium prices edit",
    )
