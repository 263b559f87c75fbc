"""Providers: the models' servers that the operator has configured, by the names that workflows use.

Owns `providers.toml` in the data folder: address, models, and where the key is. A workflow names a provider,
never an address or a key. The file is read again when it has changed; while it cannot be read, what was read
before counts. How a provider is called is model.py; how the command line changes the file, provider_file.py.

    [local]
    base_url = "http://127.0.0.1:11434/v1"
    models = ["llama3.2", "qwen3"]           # the first is the default; left out: any that is asked for
    key_file = "/etc/omium/local.key"        # or key_env = "LOCAL_KEY", or a key_sealed

A `key_sealed` is the key itself, sealed with the server's key file for this name and this `base_url`: without
the key file, in another entry or with another address it opens nothing.
"""

from __future__ import annotations

import base64
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from omium.errors import ConfigError, SealBroken
from omium.logs import get_logger
from omium.server.keyfile import read_keys
from omium.server.seal import KeyFile

FILE_NAME: Final = "providers.toml"
TIMEOUT_S: Final = 120.0
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_KEYS_NAME: Final = "keys.json"  # ServerSettings.key_file, beside the providers
_FIELDS: Final = frozenset(
    {"base_url", "models", "key_env", "key_file", "key_sealed", "timeout_s", "max_tokens"}
)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """One configured provider."""

    name: str
    base_url: str
    """Without a slash at its end; `/chat/completions` follows it."""
    key: str = field(default="", repr=False)
    models: tuple[str, ...] = ()
    """Allowed ones, the first is the default; none: every model that is named."""
    timeout_s: float = TIMEOUT_S
    max_tokens: int | None = None
    """Most tokens that one answer may have."""

    @property
    def target(self) -> str:
        """The `host:port` that its key may go to."""
        parts = urlsplit(self.base_url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    def choose_model(self, asked: str) -> str | None:
        """Return the model to ask, None where `asked` is not allowed, or is empty and there is no default."""
        if not asked:
            return self.models[0] if self.models else None
        return asked if not self.models or asked in self.models else None


class Providers:
    """The providers of a server, as its file says now."""

    def __init__(self, path: Path, *, environ: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._environ = environ
        self._stamp: tuple[int, int] | None = None
        self._known: Mapping[str, Provider] = {}

    def load(self) -> None:
        """Read the file if it has changed; raises `ConfigError` where something is wrong with it."""
        try:
            seen = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._known = None, {}
            return
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be read: {error.strerror}.") from error
        stamp = (seen.st_mtime_ns, seen.st_size)
        if stamp != self._stamp:
            self._known = read_providers(self._path, self._environ)
            self._stamp = stamp

    def list_all(self) -> list[Provider]:
        """Return all providers by name, as the file says now."""
        try:
            self.load()
        except ConfigError as error:  # somebody edits it just now: what runs goes on with what was
            log.warning("the providers were not read anew", reason=str(error))
        return [self._known[name] for name in sorted(self._known)]

    def find(self, name: str) -> Provider | None:
        """Return the provider of that name, or None."""
        return next((each for each in self.list_all() if each.name == name), None)


def read_providers(path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Provider]:
    """Return the providers in `path`; `ConfigError` names what is wrong and the remedy."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    return {name: read_provider(path, name, entry, environ) for name, entry in content.items()}


def read_provider(path: Path, name: str, entry: Any, environ: Mapping[str, str]) -> Provider:
    """Return the provider that the table `entry` of the file `path` describes; raises `ConfigError`."""
    where = f"{path}: {name}"
    if not isinstance(entry, dict) or not _NAME.fullmatch(name):
        raise ConfigError(f"{where} is no provider; begin one with a line such as [local].")
    if unknown := sorted(set(entry) - _FIELDS):
        raise ConfigError(f"{where} has no setting {unknown[0]!r}; there are {', '.join(sorted(_FIELDS))}.")
    models = entry.get("models", [])
    if not isinstance(models, list) or not all(isinstance(each, str) and each for each in models):
        raise ConfigError(f'{where}: models is a list of names, such as ["llama3.2"].')
    timeout_s, max_tokens = entry.get("timeout_s", TIMEOUT_S), entry.get("max_tokens")
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= 3_600:
        raise ConfigError(f"{where}: timeout_s is a number of seconds up to 3600.")
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise ConfigError(f"{where}: max_tokens is a whole number above zero.")
    base_url = _read_base_url(where, entry.get("base_url"))
    if "key_sealed" in entry:
        entry = {**entry, "key_sealed": _unseal_key(path, name, base_url, entry["key_sealed"])}
    return Provider(
        name=name,
        base_url=base_url,
        key=_read_key(where, entry, environ),
        models=tuple(models),
        timeout_s=float(timeout_s),
        max_tokens=max_tokens,
    )


def _read_base_url(where: str, given: object) -> str:
    try:
        parts = urlsplit(given) if isinstance(given, str) and given.isascii() else None
        usable = parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname)
        usable = usable and parts is not None and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        parts, usable = None, False
    if not usable or parts is None:
        raise ConfigError(f'{where}: base_url is an address such as "http://127.0.0.1:11434/v1".')
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{where}: base_url holds no credentials; name a key_file or a key_env.")
    return parts.geturl().rstrip("/")


def _read_key(where: str, entry: dict[str, Any], environ: Mapping[str, str]) -> str:
    variable, file = entry.get("key_env"), entry.get("key_file")
    key: str = entry.get("key_sealed", "")  # opened by now
    if len(given := [each for each in ("key_env", "key_file", "key_sealed") if each in entry]) > 1:
        raise ConfigError(f"{where} has a {' and a '.join(given)}; keep one.")
    if variable is not None:
        key = environ.get(variable, "") if isinstance(variable, str) else ""
        if not key:
            raise ConfigError(f"{where}: the server's environment has no variable {variable!r}; set it.")
    if file is not None:
        if not isinstance(file, str) or not Path(file).is_absolute():
            raise ConfigError(f"{where}: key_file is the whole path of a file.")
        try:
            key = Path(file).read_text().strip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"{where}: the key file {file} cannot be read.") from error
        if not key:
            raise ConfigError(f"{where}: the key file {file} is empty.")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"{where}: its key has characters that no key has.")
    return key


def seal_key(path: Path, name: str, base_url: str, key: str) -> str:
    """Return `key` as a `key_sealed` of that entry of the file `path`; `ConfigError` without a key file."""
    sealed = _open_keys(path).seal(key.encode(), _place(name, _read_base_url(f"{path}: {name}", base_url)))
    return base64.b64encode(sealed).decode()


def _unseal_key(path: Path, name: str, base_url: str, sealed: object) -> str:
    try:
        data = base64.b64decode(sealed if isinstance(sealed, str) else "", validate=True)
        return _open_keys(path).unseal(data, _place(name, base_url)).decode()
    except (SealBroken, ValueError) as error:
        raise ConfigError(
            f"{path}: {name}: its key_sealed was made for another name, base_url or key file; give the key"
            f" again: omium providers add {name} --base-url {base_url}"
        ) from error


def _place(name: str, base_url: str) -> bytes:
    return f"{FILE_NAME}\n{name}\n{base_url}".encode()  # neither holds a line's end


def _open_keys(path: Path) -> KeyFile:
    """Return the keys beside `path`; unlike `KeyFile.open` it makes none, and writes nothing."""
    file = path.with_name(_KEYS_NAME)
    try:
        keys = read_keys(file)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    if keys is None:
        raise ConfigError(
            f"There is no {file} to seal a provider's key with; start the server once, which makes it, or put"
            " it back from a backup. A key_file or a key_env needs none."
        )
    return KeyFile(file, keys)
