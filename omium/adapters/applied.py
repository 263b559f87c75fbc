"""Applied: an object of a framework with Omium's policies for its nodes; what `apply_spec` returns.

Owns whose word holds: what a stored spec or an earlier `instrument` said wins over what is given now. Loads
no framework; each adapter says what its object is, and what else it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

from omium.adapters.recorded import StepPolicy

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Applied(Generic[S]):
    """`source` is the user's own object, or a copy of it with what was edited; it holds none of this."""

    source: S
    policies: Mapping[str, StepPolicy] = field(default_factory=dict)
    """By node."""
    default: StepPolicy = field(default_factory=StepPolicy)
    """Of all other nodes."""
    terms: Mapping[str, Any] = field(default_factory=dict)
    """Durability, takeover and queue of what was instrumented before."""

    @classmethod
    def find(cls, value: object) -> Self | None:
        """Return what was applied or instrumented before; None for an object of the framework itself."""
        if isinstance(value, cls):
            return value
        found = getattr(value, "__dict__", {}).get("applied")  # an instrumented one passes all else on
        return found if isinstance(found, cls) else None

    def find_policy(self, *keys: str) -> StepPolicy:
        """Return the policy of the first of `keys` that has one, else that of all other nodes."""
        return next((self.policies[key] for key in keys if key in self.policies), self.default)

    def give(self, nodes: Mapping[str, StepPolicy] | None, default: StepPolicy, **terms: Any) -> Self:
        """Return it with what `instrument` is given; what it holds already wins."""
        return replace(
            self,
            policies={**(nodes or {}), **self.policies},
            default=default if self.default == StepPolicy() else self.default,
            terms={**terms, **self.terms},
        )
