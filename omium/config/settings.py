"""Settings of a client: argument over environment over profile, and no guess beyond that.

Owns the table of settings (docs/configuration.md lists it, a test compares) and which value wins. A profile's
key, pin and authority belong to that profile's server: given another address, they are not used there.
The file itself is profiles.py. What a server can be told is `omium.server.settings`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from omium.config.address import DEFAULT_BASE_URL, parse_base_url
from omium.config.credentials import load_credential
from omium.config.profiles import (
    DEFAULT_PROFILE,
    ConfigFile,
    check_profile_name,
    config_folder,
    no_profile,
    read_config,
)
from omium.errors import ConfigError
from omium.states import Durability, Environment

_KEY: Final = re.compile(r"[\x21-\x7e]{1,500}")
_BOUND_TO_SERVER: Final = frozenset(
    {"api_key", "api_key_id", "credential", "tenant", "tenant_id", "ca_file", "tls_pin"}
)
_CONTAINER_SECRETS: Final = ("/run/secrets/", "/var/run/secrets/")


def _about(variable: str, description: str) -> Mapping[str, str]:
    return {"variable": variable, "description": description}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client goes by. `sources` says per setting where its value came from."""

    base_url: str = field(
        default=DEFAULT_BASE_URL, metadata=_about("OMIUM_BASE_URL", "Address of the server.")
    )
    api_key: str | None = field(
        default=None, repr=False, metadata=_about("OMIUM_API_KEY", "Key that every request carries.")
    )
    environment: Environment | None = field(
        default=None, metadata=_about("OMIUM_ENVIRONMENT", "What the key must be for: dev, staging or prod.")
    )
    durability: Durability = field(
        default=Durability.STRICT,
        metadata=_about("OMIUM_DURABILITY", "strict, or relaxed: records may wait on this machine."),
    )
    profile: str = field(
        default=DEFAULT_PROFILE, metadata=_about("OMIUM_PROFILE", "Profile of the configuration file.")
    )
    folder: Path = field(
        default=Path(), metadata=_about("OMIUM_CONFIG_DIR", "Folder of the configuration file and the spool.")
    )
    ca_file: str | None = field(
        default=None, metadata=_about("OMIUM_CA_FILE", "Authority (PEM) behind the server's certificate.")
    )
    tls_pin: str | None = field(
        default=None, metadata=_about("OMIUM_TLS_PIN", "SHA-256 fingerprint of the server's certificate.")
    )
    unavailable_after_s: float = field(
        default=300.0,
        metadata=_about(
            "OMIUM_UNAVAILABLE_AFTER_S", "How long a strict step waits for a server that is away."
        ),
    )
    effect_wait_s: float = field(
        default=30.0,
        metadata=_about("OMIUM_EFFECT_WAIT_S", "How long a relaxed effect waits for a server that is away."),
    )
    tenant_id: str | None = None
    """From the profile: whose records the spool may hold."""
    sources: Mapping[str, str] = field(default_factory=dict)


VARIABLES: Final = {
    each.name: (each.metadata["variable"], each.metadata["description"])
    for each in fields(Settings)
    if each.metadata
}
"""Setting to (environment variable, description)."""

KEY_FILE_VARIABLE: Final = "OMIUM_API_KEY_FILE"
_KEY_FILE_CHARACTERS_MAX: Final = 10_000


def load_settings(
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    environment: str | None = None,
    durability: str | None = None,
    profile: str | None = None,
    ca_file: str | None = None,
    tls_pin: str | None = None,
    unavailable_after_s: float | None = None,
    effect_wait_s: float | None = None,
    new_profile: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings that hold now. Raises `ConfigError` for anything that is not as it should be.

    An empty environment variable counts as not set. With `new_profile`, for what creates one, a profile that
    is not there says nothing; else it's an error.
    """
    folder = config_folder(environ)
    file = read_config(folder)
    chosen = _Chosen(environ, {})
    name = chosen.first("profile", profile, file.active, str(file.path))
    check_profile_name(name)
    stored = {} if new_profile and name not in file.profiles else _profile(file, name, chosen)
    where = f"profile {name} in {file.path}"

    url = chosen.first("base_url", base_url, stored.get("base_url"), where) or DEFAULT_BASE_URL
    address = parse_base_url(url)
    own = parse_base_url(str(stored.get("base_url", DEFAULT_BASE_URL)))
    if address.base_url != own.base_url:
        stored = {key: value for key, value in stored.items() if key not in _BOUND_TO_SERVER}
    return Settings(
        base_url=address.base_url,
        api_key=_api_key(chosen, api_key, stored, name, folder, where),
        environment=_member(Environment, chosen, "environment", environment, stored, where),
        durability=_member(Durability, chosen, "durability", durability, stored, where) or Durability.STRICT,
        profile=name,
        folder=folder,
        ca_file=_path(chosen.first("ca_file", ca_file, stored.get("ca_file"), where)),
        tls_pin=chosen.first("tls_pin", tls_pin, stored.get("tls_pin"), where) or None,
        unavailable_after_s=_seconds(chosen, "unavailable_after_s", unavailable_after_s, stored, where),
        effect_wait_s=_seconds(chosen, "effect_wait_s", effect_wait_s, stored, where),
        tenant_id=str(stored["tenant_id"]) if "tenant_id" in stored else None,
        sources=chosen.sources,
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    environ: Mapping[str, str]
    sources: dict[str, str]

    def first(self, name: str, argument: object, stored: object, where: str) -> str:
        """Return the first of argument, environment and profile, as text; empty if there is none."""
        variable = VARIABLES[name][0]
        for value, source in (
            (argument, "argument"),
            (self.environ.get(variable), variable),
            (stored, where),
        ):
            if value not in {None, ""}:
                self.sources[name] = source
                return str(value)
        self.sources[name] = "default"
        return ""


def _profile(file: ConfigFile, name: str, chosen: _Chosen) -> dict[str, str | float]:
    if name in file.profiles:
        return dict(file.profiles[name])
    if chosen.sources["profile"] == "default" or (name == file.active == "default"):
        return {}
    raise no_profile(file, name)


def _api_key(
    chosen: _Chosen,
    argument: str | None,
    stored: Mapping[str, object],
    profile: str,
    folder: Path,
    where: str,
) -> str | None:
    """Return the key: argument over OMIUM_API_KEY over OMIUM_API_KEY_FILE over the profile."""
    given = argument or chosen.environ.get("OMIUM_API_KEY")
    path = chosen.environ.get(KEY_FILE_VARIABLE)
    if not given and path:
        key = _read_key_file(path)
        chosen.sources["api_key"] = KEY_FILE_VARIABLE
    else:
        kept = None if given else load_credential(profile, stored, folder=folder)  # a keyring may be slow
        key = chosen.first("api_key", argument, kept, where).strip()
        if not key:
            return None
    if not _KEY.fullmatch(key):
        raise ConfigError(
            f"The API key ({chosen.sources['api_key']}) is not one: it has no spaces and one line."
        )
    return key


def _read_key_file(path: str) -> str:
    """Return what is in a file that only its owner may read, or that a container's runtime has made."""
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read(_KEY_FILE_CHARACTERS_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{KEY_FILE_VARIABLE}={path} cannot be read: {why}.") from error
    if os.name == "posix" and mode & 0o077 and not path.startswith(_CONTAINER_SECRETS):
        raise ConfigError(f"{path} ({KEY_FILE_VARIABLE}) can be read by others; run: chmod 600 {path}")
    if not key:
        raise ConfigError(f"{path} ({KEY_FILE_VARIABLE}) is empty; it holds the API key, on one line.")
    return key


def _member(
    kind: type[Any],
    chosen: _Chosen,
    name: str,
    argument: str | None,
    stored: Mapping[str, object],
    where: str,
) -> Any:
    text = chosen.first(name, argument, stored.get(name), where)
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise ConfigError(f"{name} ({chosen.sources[name]}) is {text!r}; it is one of {allowed}.") from None


def _seconds(
    chosen: _Chosen, name: str, argument: float | None, stored: Mapping[str, object], where: str
) -> float:
    text = chosen.first(name, argument, stored.get(name), where)
    default = {each.name: each.default for each in fields(Settings)}[name]
    try:
        seconds = float(text) if text else float(str(default))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ConfigError(
            f"{name} ({chosen.sources[name]}) is {text!r}; it is a number of seconds up to 86400."
        )
    return seconds


def _path(text: str) -> str | None:
    return str(Path(text).expanduser()) if text else None
