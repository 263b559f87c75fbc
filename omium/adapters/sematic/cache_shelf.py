"""Cache shelf: values of cached functions that executions share, on the server.

Owns how they are kept: each is an execution of its own of the workflow `sematic-cache`, completed at once,
with the key of the call as its business key and the value as its output. So it is of one tenant and
environment, encrypted, retained and shown like everything that is recorded
(docs/decisions/289-cached-functions-are-executions.md). What a key is made of is cache_keys.py.

A process that dies before the value is kept leaves nothing, or an entry without a value, which is never
taken; a value that is kept twice is the same value twice. Without the server, or the scopes for it, a
function is called as if nothing were kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from omium.errors import OmiumError, Suspension
from omium.jsonvalue import decode, input_record
from omium.sdk.context import Frame
from omium.sdk.driving import Driving
from omium.sdk.exchange import exchange, parse_answer
from omium.sdk.flows import Flow, drive_sync
from omium.sdk.joining import fetch_output
from omium.sdk.life import complete
from omium.sdk.options import WorkflowOptions, make_labels
from omium.sdk.starting import PATIENCE_S, Beginning, begin, make_driving

WORKFLOW: Final = "sematic-cache"
_VALUE: Final = "value"

T = TypeVar("T")
_log = logging.getLogger("omium.sematic")


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that is kept, as it is recorded, and the execution that keeps it."""

    form: Any
    execution_id: str


class Shelf:
    """What one execution takes from there, and leaves there for others."""

    def __init__(self, frame: Frame) -> None:
        assert isinstance(frame.driving, Driving)
        self._driving = frame.driving
        self._environment: str | None = None
        self._given_up: set[str] = set()

    def find(self, key: str) -> Kept | None:
        """Return what is kept under `key`; None where there is nothing, or it cannot be asked for."""
        return self._try("read", lambda: self._find(key))

    def keep(self, key: str, form: Any, told: Mapping[str, object]) -> None:
        """Keep `form` under `key` for the executions that follow; `told` says to people what it is of."""
        self._try("written", lambda: self._keep(key, form, told))

    def _find(self, key: str) -> Flow[Kept | None]:
        if self._environment is None:
            own = yield from self._get(f"/v1/executions/{self._driving.execution_id}")
            self._environment = str(own["environment"])
        asked = {
            "workflow": WORKFLOW,
            "business_key": key,
            "status": "completed",
            "environment": self._environment,
            "limit": "1",
        }
        page = yield from self._get(f"/v1/executions?{urlencode(asked)}")
        for entry in page["items"]:
            recorded = yield from fetch_output(entry["id"])
            output = decode(recorded, types=self._driving.link.types)
            if isinstance(output, dict) and _VALUE in output:  # else its records have been removed just now
                return Kept(output[_VALUE], str(entry["id"]))
        return None

    def _keep(self, key: str, form: Any, told: Mapping[str, object]) -> Flow[None]:
        options, types = WorkflowOptions(WORKFLOW), self._driving.link.types
        durability = self._driving.lease.durability
        granted = yield from begin(
            Beginning(
                WORKFLOW,
                input_record(told, types=types),
                options,
                durability,
                labels=make_labels(None, key),
            )
        )
        entry = make_driving(granted, self._driving.link, options, durability=durability)
        yield from complete(entry, {_VALUE: form}, types)

    def _get(self, path: str) -> Flow[Mapping[str, Any]]:
        patience_s = 0.0 if self._driving.lease.relaxed else PATIENCE_S
        found = parse_answer((yield from exchange("GET", path, retry_for_s=patience_s)))
        assert isinstance(found, dict)
        return found

    def _try(self, what: str, flow: Callable[[], Flow[T]]) -> T | None:
        """Drive a flow, again only while it works: a cache spares work, and must not stop any."""
        if what in self._given_up:
            return None
        try:
            return drive_sync(flow(), self._driving.link.ports)
        except (OmiumError, Suspension) as error:  # a suspension is of the entry, not of what runs here
            self._given_up.add(what)
            _log.warning("The cache of %s cannot be %s: %s", self._driving.workflow, what, error)
            return None
