"""The state of a breaker as its row keeps it: what failed, what was spent, and the limits of both.

Owns the JSON in `breakers.data`, and which limit of spending holds: the operator's (`omium breakers limit`)
or the policy's that came with a call, whichever is less. What changes a state is breakers.py and
breaker_spending.py; the machines are omium/breaker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from omium.breaker import Breaker as Circuit
from omium.breaker import CircuitPolicy, Spend, SpendLimit, new_breaker, note_spend, retry_after_us
from omium.breaker.window import total
from omium.clock import US_PER_S
from omium.jsonvalue import json_bytes
from omium.models.breaker import BreakerLimits, BreakerPolicy
from omium.server.store.breakers import BreakerRow

Kind = Literal["tokens", "credits"]


@dataclass(frozen=True, slots=True)
class BreakerFacts:
    """What is kept of one breaker."""

    circuit: Circuit
    policy: BreakerPolicy
    """As it came with the last call that brought one."""
    limits: BreakerLimits
    """The operator's."""
    tokens: Spend | None = None
    microcredits: Spend | None = None

    @property
    def tokens_limit(self) -> SpendLimit | None:
        """How many tokens may be used in a minute."""
        return _least(self.policy.tokens_per_minute, self.limits.tokens_per_minute)

    @property
    def microcredits_limit(self) -> SpendLimit | None:
        """How much may be charged in a minute, in microcredits."""
        return _least(self.policy.microcredits_per_minute, self.limits.microcredits_per_minute)

    @property
    def is_limited(self) -> bool:
        """Whether spending is limited, and so counted."""
        return self.tokens_limit is not None or self.microcredits_limit is not None

    def find_exhausted(self, now_us: int) -> tuple[Kind, int] | None:
        """Return which limit is reached and after how many microseconds no longer, or None."""
        waits: list[tuple[int, Kind]] = []
        if self.tokens_limit is not None:
            waits.append((retry_after_us(self.tokens, self.tokens_limit, now_us), "tokens"))
        if self.microcredits_limit is not None:
            waits.append((retry_after_us(self.microcredits, self.microcredits_limit, now_us), "credits"))
        longest_us, kind = max(waits, default=(0, "tokens"))
        return (kind, longest_us) if longest_us else None

    def with_spent(self, tokens: int, microcredits: int, now_us: int) -> BreakerFacts:
        """Return the facts after so much more was spent; what no limit holds is not counted."""
        return BreakerFacts(
            self.circuit,
            self.policy,
            self.limits,
            note_spend(self.tokens, self.tokens_limit, tokens, now_us) if self.tokens_limit else None,
            note_spend(self.microcredits, self.microcredits_limit, microcredits, now_us)
            if self.microcredits_limit
            else None,
        )

    def to_bytes(self) -> bytes:
        """Return what the row keeps, which `read_facts` reads back."""
        form: dict[str, object] = {
            "circuit": self.circuit.to_json(),
            "policy": self.policy.model_dump(mode="json"),
            "limits": self.limits.model_dump(mode="json"),
        }
        for name, spend in (("tokens", self.tokens), ("microcredits", self.microcredits)):
            if spend is not None:
                form[name] = spend.to_json()
        return json_bytes(form)  # type: ignore[arg-type]  # each is JSON by its own method


def new_facts(policy: BreakerPolicy, now_us: int, limits: BreakerLimits | None = None) -> BreakerFacts:
    """Return a closed breaker that has seen nothing."""
    return BreakerFacts(new_breaker(to_circuit(policy), now_us), policy, limits or BreakerLimits())


def to_circuit(policy: BreakerPolicy) -> CircuitPolicy:
    """Return `policy` in the form of the state machine."""
    return CircuitPolicy(
        window_us=max(round(policy.window_s * US_PER_S), 1),
        min_calls=policy.min_calls,
        failure_rate=policy.failure_rate,
        cooldown_us=max(round(policy.cooldown_s * US_PER_S), 1),
        probes=policy.probes,
    )


def read_facts(row: BreakerRow) -> BreakerFacts:
    """Return what `row` keeps; raises `DatabaseCorrupt` where it cannot be read."""
    form = json.loads(row.data)
    return BreakerFacts(
        Circuit.from_json(form["circuit"]),
        BreakerPolicy.model_validate(form["policy"]),
        BreakerLimits.model_validate(form.get("limits", {})),
        _read_spend(form.get("tokens")),
        _read_spend(form.get("microcredits")),
    )


def sum_minute(spend: Spend | None, now_us: int) -> int:
    """Return what was spent within the last minute."""
    return total(spend.spent, now_us) if spend is not None else 0


def _read_spend(form: Mapping[str, object] | None) -> Spend | None:
    return Spend.from_json(form) if form is not None else None


def _least(*amounts: int | None) -> SpendLimit | None:
    given = [amount for amount in amounts if amount is not None]
    return SpendLimit(min(given)) if given else None
