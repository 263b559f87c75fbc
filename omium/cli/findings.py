"""A finding: what one of the doctor's checks found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is empty where nothing needs to be done."""

    level: Literal["ok", "warn", "fail"]
    name: str
    detail: str
    remedy: str = ""
