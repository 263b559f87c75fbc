"""Changes to `providers.toml` by a command: one table put in, replaced or cut out, the rest kept as it is.

Owns how the file is written: under a lock, whole (0600, synced, then in its place), and only if what is read
from the new text is what was meant. What the file may hold is providers.py's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from omium.errors import ConfigError
from omium.server.builtin.providers import Provider, read_provider, seal_key

_KEPT: Final = ("timeout_s", "max_tokens")  # what no flag sets outlives a change
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[")

Entry = Mapping[str, Any]
"""A provider's table."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `write_entry` would make of an entry."""

    entry: Entry
    provider: Provider
    replaces: bool
    """Whether another provider of that name is there."""
    is_there: bool
    """Whether the file says all of it already."""


def plan_entry(path: Path, name: str, entry: Entry, key: str, environ: Mapping[str, str]) -> Plan:
    """Return what `entry` with the secret `key` (or none) would become; `ConfigError` says what is wrong."""
    content = _parse(path, _read(path))
    old: Entry = content[name] if isinstance(content.get(name), dict) else {}
    wanted = {**entry, **{each: old[each] for each in _KEPT if each in old}}
    if key:
        wanted["key_sealed"] = seal_key(path, name, str(entry["base_url"]), key)
    provider = read_provider(path, name, wanted, environ)
    wanted["base_url"] = provider.base_url
    same = _without_sealed(old) == _without_sealed(wanted)
    if same and ("key_sealed" in old or "key_sealed" in wanted):
        try:
            same = "key_sealed" in old and read_provider(path, name, old, environ).key == key
        except ConfigError:  # sealed with a key file that is gone: it's replaced
            same = False
    return Plan(wanted, provider, replaces=name in content and not same, is_there=same)


def has_entry(path: Path, name: str) -> bool:
    """Say whether the file names that provider, usable or not."""
    return name in _parse(path, _read(path))


def write_entry(path: Path, name: str, entry: Entry | None) -> None:
    """Make `entry` the provider `name`, None removes it; other tables and their comments stay as they are.

    Killed on any line: the file is the former one, or the new one. Twice: the second writes the same again.
    Two at once: the second waits, and keeps what the first has written. Raises `ConfigError`.
    """
    try:
        with _locked(path.parent):
            text = _read(path)
            meant = {each: table for each, table in _parse(path, text).items() if each != name}
            if entry is not None:
                meant[name] = dict(entry)
            changed = _put(text, name, [] if entry is None else _format(name, entry))
            try:
                right = tomllib.loads(changed) == meant
            except ValueError:
                right = False
            if not right:  # such as a dotted key, or a table's head inside of a text
                raise ConfigError(f"{path} writes {name} in a form of its own; change it there by hand.")
            _replace(path, changed)
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no data folder {path.parent}; start the server once, or name its folder with --data."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}. Run this as the server's user."
        ) from error


def _put(text: str, name: str, table: list[str]) -> str:
    """Return `text` with `table` in the place of the one called `name`, else at the end."""
    lines = text.split("\n")
    quoted = re.escape(name)
    head = re.compile(rf"""\s*\[\s*(?:{quoted}|"{quoted}"|'{quoted}')\s*\]\s*(?:#.*)?""")
    start = next((number for number, line in enumerate(lines) if head.fullmatch(line)), None)
    if start is None:
        while lines and not lines[-1].strip():
            lines.pop()
        return "\n".join([*lines, *([""] if lines and table else []), *table, ""])
    end = start + 1
    while end < len(lines) and not _HEADER.match(lines[end]):
        end += 1
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1  # a comment above the next table is that one's
    return "\n".join([*lines[:start], *table, *lines[end:]])


def _format(name: str, entry: Entry) -> list[str]:
    head = name if _BARE.fullmatch(name) else json.dumps(name)
    return [
        f"[{head}]",
        *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()),
    ]


def _without_sealed(entry: Entry) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "key_sealed"}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path} is no TOML, mend it first: {error}") from error


def _replace(path: Path, text: str) -> None:
    """Put a whole file in the place of `path`, or of what it links to, for the server's user alone."""
    place, owner = path.resolve(), path.parent.stat()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if os.geteuid() == 0:  # by sudo: the server, which owns its folder, must be able to read it
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        draft.replace(place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # goes with the descriptor, also when the process dies
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
