"""The configuration file: profiles, each a server with a key, read strictly and written whole.

Owns the folder, the file's form and its permissions. Which value wins is settings.py. A broken file is an
error that names the line: a client that fell back to a default would talk to another server. The folder is
`omium-os`, because another distribution, a hosted product's client, keeps `~/.omium`; nothing here reads or
writes that.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from omium.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows: no lock between two `omium init` at the same moment, the file is whole anyway
    fcntl = None  # type: ignore[assignment]

DEFAULT_PROFILE: Final = "default"
FILE_NAME: Final = "config.toml"
KEYS: Final = frozenset(
    {
        "base_url", "api_key", "api_key_id", "credential", "tenant", "tenant_id", "environment", "durability",
        "ca_file", "tls_pin", "unavailable_after_s", "effect_wait_s",
    }
)  # fmt: skip

_NUMBERS: Final = frozenset({"unavailable_after_s", "effect_wait_s"})
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEAD: Final = (
    "# Written by Omium; docs/configuration.md explains every line. Keep it private: it holds keys.\n"
)

Profile = Mapping[str, str | float]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What the file at `path` says; an absent file says nothing."""

    path: Path
    active: str = DEFAULT_PROFILE
    profiles: Mapping[str, Profile] = field(default_factory=dict, repr=False)
    text: str = field(default="", repr=False)


def config_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `OMIUM_CONFIG_DIR`, else `omium-os` in the XDG folder, `~/.config/omium-os` by default."""
    if chosen := environ.get("OMIUM_CONFIG_DIR"):
        return Path(chosen).expanduser().absolute()
    xdg = environ.get("XDG_CONFIG_HOME", "")
    root = Path(xdg) if xdg.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".config"
    return root / "omium-os"


def check_profile_name(name: str) -> str:
    """Return `name`; `ConfigError` unless it is 1 to 64 letters, digits, `_` and `-`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a profile: use 1 to 64 letters, digits, `_` and `-`.")
    return name


def read_config(folder: Path) -> ConfigFile:
    """Return what `config.toml` in `folder` says. Raises `ConfigError` naming file and line."""
    path = folder / FILE_NAME
    try:
        text = path.read_text("utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return ConfigFile(path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} cannot be read: {why}.") from error
    found = _parse(path, text)
    holds_key = any("api_key" in profile for profile in found.profiles.values())
    if holds_key and os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"{path} holds an API key and others may read it; run: chmod 600 {path}")
    return found


def write_profile(folder: Path, name: str, values: Profile, *, activate: bool = True) -> Path:
    """Put `values` in place of profile `name` and return the file's path.

    Other profiles and comments outside this one stay. The file is replaced in one step, mode 0600: a process
    that dies on the way leaves the old one. Raises `ConfigError`.
    """
    check_profile_name(name)
    for key, value in values.items():
        _check_value(f"profile {name}", key, value)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        current = read_config(folder)
        wanted = {**current.profiles, name: dict(values)}
        active = name if activate else current.active
        text = _edit(current, name, values, active)
        if _facts(current.path, text) != (active, wanted):  # not in the form that we write: write it all
            text = _render(active, wanted)
        _replace(current.path, text)
    return current.path


def use_profile(folder: Path, name: str) -> Path:
    """Make `name` the profile that counts where none is named. Raises `ConfigError` if there is none such."""
    current = read_config(folder)
    if name not in current.profiles:
        raise no_profile(current, name)
    return write_profile(folder, name, current.profiles[name])


def remove_profile(folder: Path, name: str) -> bool:
    """Take the profile `name` out of the file; False if it is not there. Another becomes the one that counts.

    Nothing is done about a secret in the keyring: that is credentials.py.
    """
    if name not in read_config(folder).profiles:  # before a folder is made for nothing
        return False
    with _locked(folder):
        current = read_config(folder)
        wanted = {each: values for each, values in current.profiles.items() if each != name}
        if len(wanted) == len(current.profiles):
            return False
        active = current.active if current.active != name else next(iter(wanted), DEFAULT_PROFILE)
        text = _set_active(_section_of(name).sub("", current.text, count=1), active)
        if _facts(current.path, text) != (active, wanted):
            text = _render(active, wanted)
        _replace(current.path, text)
    return True


def no_profile(file: ConfigFile, name: str) -> ConfigError:
    """Return the error that a profile which is not there deserves."""
    there = ", ".join(sorted(file.profiles)) or "none"
    return ConfigError(
        f"There is no profile {name!r} in {file.path} (there: {there}); create it with"
        f" `omium init --profile {name}`."
    )


def _parse(path: Path, text: str) -> ConfigFile:
    import tomllib  # noqa: PLC0415  # only where there is a file

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    for key, value in table.items():
        known = (key == "profile" and isinstance(value, str)) or (
            key == "profiles" and isinstance(value, dict)
        )
        if not known:
            raise _fault(path, text, None, key, "only `profile` and [profiles.NAME] stand at the top")
    profiles = table.get("profiles", {})
    for name, profile in profiles.items():
        if not isinstance(profile, dict):
            raise _fault(path, text, None, name, "a profile is a table: [profiles.NAME]")
        for key, value in profile.items():
            try:
                _check_value(f"profile {name}", key, value)
            except ConfigError as error:
                raise _fault(path, text, name, key, str(error)) from None
    active = table.get("profile", DEFAULT_PROFILE)
    return ConfigFile(path, active, profiles, text)


def _check_value(where: str, key: str, value: object) -> None:
    if key not in KEYS:
        raise ConfigError(
            f"{where} has a setting {key!r}, which does not exist; there are {', '.join(sorted(KEYS))}."
        )
    number = key in _NUMBERS
    if number and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ConfigError(f"{where}: {key} is a number of seconds.")
    if not number and not (isinstance(value, str) and value and value.isprintable()):
        raise ConfigError(f"{where}: {key} is a text on one line.")


def _fault(path: Path, text: str, profile: str | None, key: str, why: str) -> ConfigError:
    return ConfigError(f"{path}, line {_line_of(text, profile, key)}: {why.rstrip('.')}.")


def _line_of(text: str, profile: str | None, key: str) -> int:
    inside = profile is None
    header = 1
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"\s*\[+\s*([^]]*?)\s*\]", line):
            inside = profile is None or match[1].replace('"', "").removeprefix("profiles.") == profile
            header = number if inside else header
            if profile is None and key in match[1]:
                return number
        elif inside and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""", line):
            return number
    return header


def _edit(current: ConfigFile, name: str, values: Profile, active: str) -> str:
    """Replace the section of one profile in the text and leave everything else as it is."""
    block = _section(name, values)
    found = _section_of(name).search(current.text)
    if found:
        text = (
            current.text[: found.start()]
            + block
            + "\n" * (found.end() < len(current.text))
            + current.text[found.end() :]
        )
    else:
        text = (current.text.rstrip("\n") + "\n\n" if current.text else _HEAD + "\n") + block
    return _set_active(text, active)


def _section_of(name: str) -> re.Pattern[str]:
    """Return what matches the section of one profile, up to the next one."""
    return re.compile(rf"(?m)^\[profiles\.{re.escape(name)}\][^\n]*\n(?:(?!\[)[^\n]*(?:\n|\Z))*")


def _set_active(text: str, active: str) -> str:
    line = f"profile = {_quote(active)}\n"
    if re.search(r"(?m)^profile\s*=.*$", text):
        return re.sub(r"(?m)^profile\s*=.*\n", lambda _: line, text, count=1)
    first = re.search(r"(?m)^\[", text)
    at = first.start() if first else len(text)
    return f"{text[:at]}{line}\n{text[at:]}"


def _facts(path: Path, text: str) -> tuple[str, dict[str, Any]] | None:
    try:
        parsed = _parse(path, text)
    except ConfigError:
        return None
    return parsed.active, {name: dict(profile) for name, profile in parsed.profiles.items()}


def _render(active: str, profiles: Mapping[str, Profile]) -> str:
    sections = "\n".join(_section(name, values) for name, values in profiles.items())
    return f"{_HEAD}\nprofile = {_quote(active)}\n\n{sections}"


def _section(name: str, values: Profile) -> str:
    lines = [
        f"{key} = {_quote(value) if isinstance(value, str) else value}\n" for key, value in values.items()
    ]
    return f"[profiles.{name if _NAME.fullmatch(name) else _quote(name)}]\n{''.join(lines)}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # what is printable means the same in JSON and TOML


def _replace(path: Path, text: str) -> None:
    target = path.resolve()  # a link to a file elsewhere stays a link
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep two `omium init` from losing each other's profile."""
    with (folder / "config.lock").open("a") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
