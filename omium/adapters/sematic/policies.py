"""Policies: how often a function is tried and how long it may take, from Sematic's settings and Omium's.

Owns what Sematic's `retry` and `timeout_mins` mean for a step. A policy given for a node replaces what the
function says of retries; a timeout of Sematic's holds whatever else is said, and counts for all that a
function calls, as in Sematic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from sematic.abstract_future import AbstractFuture
from sematic.utils.exceptions import TimeoutError as SematicTimeout

from omium.adapters.recorded import StepPolicy
from omium.errors import StepTimeout
from omium.retry import ATTEMPTS_MAX, RetryPolicy
from omium.sdk.options import NO_RETRY, StepOptions

NO_POLICY: Final = StepPolicy()


def make_options(future: AbstractFuture, policy: StepPolicy) -> StepOptions:
    """Return the options of the step that stands for `future`."""
    options = policy.options(future.function.__name__)
    return options if policy.retry is not None else replace(options, retry=read_retry(future))


def read_retry(future: AbstractFuture) -> RetryPolicy:
    """Return the policy that Sematic's own settings amount to: at once, for the exceptions that they name."""
    settings = future.props.retry_settings
    if settings is None or not settings.exceptions:
        return NO_RETRY
    return RetryPolicy(
        max_attempts=min(1 + max(settings.retries, 0), ATTEMPTS_MAX),
        initial_delay_s=0,
        max_delay_s=0,
        jitter=False,
        retry_on=tuple(settings.exceptions),
    )


@dataclass(frozen=True, slots=True)
class Bound:
    """How long one try may take, and the function whose timeout of Sematic's says so, if one does."""

    timeout_s: float | None = None
    owner: AbstractFuture | None = None

    def explain(self, future: AbstractFuture, error: StepTimeout) -> Exception:
        """Return what to raise for a try of `future` that took too long, as Sematic says it."""
        if self.owner is None:
            return error
        name, minutes = future.function.__name__, self.owner.props.timeout_mins
        if self.owner is future:
            whose = f"its {minutes} minute timeout."
        else:
            ancestor = self.owner.function.__name__
            whose = f"the {minutes} minute timeout specified by its ancestor {ancestor}."
        late: Exception = SematicTimeout(
            f"The Sematic function {name} did not complete in time to satisfy {whose}"
        )
        return late


def find_bound(future: AbstractFuture, timeout_s: float | None) -> Bound:
    """Return what bounds a try of `future`: the policy's timeout, or what is left of Sematic's minutes."""
    owner, least_s = None, math.inf if timeout_s is None else timeout_s
    each: AbstractFuture | None = future
    while each is not None:
        left_s = each.props.remaining_timeout_seconds
        if left_s is not None and left_s < least_s:
            owner, least_s = each, max(left_s, 0.001)
        each = each.parent_future
    return Bound(least_s, owner) if least_s != math.inf else Bound()
