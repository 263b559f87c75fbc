"""Background: the explicit list of everything that the server does on its own. `runner.py` runs it."""

from __future__ import annotations

from functools import partial

from omium.server.background.runner import Sweep
from omium.server.settings import ServerSettings
from omium.server.web.idempotency import SWEEP_ROWS, sweep_records


def build_sweeps(settings: ServerSettings) -> list[Sweep]:
    """Return every sweep of a server with `settings`."""
    return [
        Sweep(
            "idempotency records",
            60.0,
            partial(sweep_records, retention_s=settings.idempotency_retention_s),
            bounded=SWEEP_ROWS,
        ),
    ]
