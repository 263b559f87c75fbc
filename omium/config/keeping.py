"""Keeping what a server has accepted, a key or a session, in the profile that is in use."""

from __future__ import annotations

from collections.abc import Mapping

from omium.config.address import DEFAULT_BASE_URL, parse_base_url
from omium.config.credentials import store_credential
from omium.config.profiles import read_config
from omium.config.settings import Settings


def keep_credential(settings: Settings, secret: str, values: Mapping[str, str]) -> str:
    """Put a secret, with `values` about it, into the profile in use; return where it is, in words.

    What else the profile says goes on holding: its durability, how long to wait; and for the same server its
    authority and its pin, without which the next command could not reach it.
    """
    stored = read_config(settings.folder).profiles.get(settings.profile, {})
    former = parse_base_url(str(stored.get("base_url", DEFAULT_BASE_URL))).base_url
    gone = {"api_key_id", "tenant", "tenant_id", "environment"}
    if former != settings.base_url:
        gone |= {"ca_file", "tls_pin"}
    kept = {name: value for name, value in stored.items() if name not in gone}
    return store_credential(
        settings.profile, secret, {**kept, "base_url": settings.base_url, **values}, folder=settings.folder
    )
