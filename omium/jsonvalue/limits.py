"""How large, deep and many: every bound on JSON values in one place, with its reason."""

from __future__ import annotations

from dataclasses import dataclass

MAX_VALUE_BYTES = 8 * 1024 * 1024  # of one recorded value, encoded
INLINE_BYTES = 64 * 1024  # above it a value is compressed and kept once per tenant
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1  # what both databases and most JSON readers hold


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """How much structure one document may have; its bytes are limited before it is read."""

    max_depth: int = 64
    """Containers inside each other."""
    max_keys: int = 10_000
    """Keys of one object: docs/decisions/011-recorded-values.md says why not of the document."""
    max_containers: int = 250_000
    """Objects and lists in all: an empty one takes 3 bytes of text and 64 of memory."""
    max_values: int = 2_000_000
    """Values in all."""


DEFAULT_LIMITS = JsonLimits()
ENCODED_LIMITS = JsonLimits(  # of what `encode` makes: a body around it must still fit DEFAULT_LIMITS
    max_depth=56, max_containers=200_000, max_values=1_500_000
)
