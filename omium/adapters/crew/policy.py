"""Policies: what Omium does for one task of a crew, or one method of a flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from omium.retry import RetryPolicy
from omium.sdk.options import Concurrency, StepOptions, check_output_schema, make_step_options


@dataclass(frozen=True, slots=True)
class TaskPolicy:
    """What Omium does for one task or method; what CrewAI tries again by itself stays as it is.

    `retry` is a policy or the most attempts, `timeout_s` ends a try (async work is cancelled; sync work runs
    on in its thread, and the next try waits for it), `breaker` names a circuit breaker, `concurrency` bounds
    how many run at once under its key, `record=False` keeps no result and runs the task again on resume.
    `output_schema` is a JSON Schema that what is recorded must fit, else the task fails.
    """

    retry: RetryPolicy | int | None = None
    timeout_s: float | None = None
    breaker: str | None = None
    concurrency: Concurrency | None = None
    record: bool = True
    output_schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_output_schema("of this policy", self.output_schema, record=self.record)

    def options(self, name: str, *, match: Literal["name"] | None = None) -> StepOptions:
        """Return the options of the step that stands for the node `name`."""
        return make_step_options(
            name,
            retry=self.retry,
            timeout_s=self.timeout_s,
            breaker=self.breaker,
            concurrency=self.concurrency,
            record=self.record,
            output_schema=self.output_schema,
            match=match,
        )
