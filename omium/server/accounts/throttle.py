"""Throttle: failed log-ins are counted, and each further one has to wait longer.

Counted per account and per address, in the database, so that all servers of one know them and a restart
forgets none. An attempt is counted before its password is looked at, and taken back when it fits: whoever
tries many at once, or dies in the middle, has failed. An account that does not exist is counted like one that
does. While a wait lasts nothing is looked at, and nothing is counted: it ends by itself.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from typing import Final

from omium.clock import US_PER_S
from omium.errors import LoginDelayed
from omium.server.db.tx import Tx
from omium.server.seal import KeyFile, Purpose
from omium.server.store import login_failures as store

FORGOTTEN_AFTER_US: Final = 24 * 3600 * US_PER_S


@dataclass(frozen=True, slots=True)
class Rule:
    """After `free` failures the next attempt waits 2 s, then 4 s, and so on up to `wait_s_max`."""

    kind: str
    free: int
    wait_s_max: int

    def wait_us(self, failures: int) -> int:
        """Return how long nobody may try after so many failures."""
        over = failures - self.free
        return 0 if over < 0 else min(self.wait_s_max, 2 << min(over, 30)) * US_PER_S


ACCOUNT: Final = Rule("account", free=5, wait_s_max=300)
ADDRESS: Final = Rule("address", free=20, wait_s_max=900)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to log in: the digests of the account's name and of the address that it comes from."""

    account: bytes
    address: bytes


def make_attempt(key_file: KeyFile, name: str, address: str) -> Attempt:
    """Return the attempt on the account `name` from `address`; an IPv6 network counts as one address."""
    return Attempt(
        key_file.hmac(Purpose.SESSION, "failures", ACCOUNT.kind, name),
        key_file.hmac(Purpose.SESSION, "failures", ADDRESS.kind, _network(address)),
    )


def begin_attempt(tx: Tx, attempt: Attempt) -> None:
    """Count the attempt as failed, or raise `LoginDelayed` while somebody has to wait."""
    counts = []
    for rule, digest in ((ACCOUNT, attempt.account), (ADDRESS, attempt.address)):
        found = store.lock_count(tx, digest)
        idle_us = max(0, tx.now_us - found.last_us)
        left_us = rule.wait_us(found.failures) - idle_us
        if left_us > 0:
            wait_s = math.ceil(left_us / US_PER_S)
            raise LoginDelayed(
                f"Too many log-ins have failed; the next may be tried in {wait_s} s.", retry_after_s=wait_s
            )
        counts.append((digest, 0 if idle_us > FORGOTTEN_AFTER_US else found.failures))
    for digest, failures in counts:
        store.set_count(tx, digest, failures + 1)


def forgive(tx: Tx, attempt: Attempt) -> None:
    """The password fitted: the account begins anew, the address has one failure less.

    Not more than one: else an attacker's own account would clear what he does to others.
    """
    store.forget(tx, attempt.account)
    store.forgive_one(tx, attempt.address)


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)
