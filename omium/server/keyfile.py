"""The server's key file on disk: made once, read at every start, only ever replaced whole.

Owns its form (JSON with a version), its mode (0600) and how it survives a crash: a new file is complete and
synced before it gets its name, and never takes the name of one that exists. What the keys are used for is
seal.py.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omium.errors import ConfigError

FORMAT = 1
KEY_BYTES = 32
_KEY_IDS_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class Keys:
    """What the file holds; nothing of it is ever shown."""

    sealing: Mapping[int, bytes] = field(repr=False)
    """By key id; the highest id seals, the others still open what they had sealed."""
    named: Mapping[str, bytes] = field(repr=False)
    """Keys for HMAC, one per purpose."""


def new_key() -> bytes:
    """Return 256 random bits."""
    return secrets.token_bytes(KEY_BYTES)


def read_keys(path: Path) -> Keys | None:
    """Return the keys in `path` or None without one; `ConfigError` if it is damaged or open to others."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except FileNotFoundError:
        return None
    if mode & 0o077:
        raise ConfigError(
            f"The key file {path} can be read by other users of this machine; run: chmod 600 {path}"
        )
    try:
        content = json.loads(data)
        if content["format"] > FORMAT:
            raise ConfigError(f"The key file {path} was written by a newer Omium; upgrade this one.")
        return Keys(
            sealing={int(key_id): _read_key(text) for key_id, text in content["sealing"].items()},
            named={name: _read_key(text) for name, text in content["named"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"The key file {path} is damaged; put back the copy from a backup. Without it sealed values and"
            " API keys are lost."
        ) from error


def create_keys(path: Path, keys: Keys) -> Keys:
    """Give `path` the content `keys` unless it exists; return what is there afterwards.

    Killed on any line: there is no file, or a complete one. Two processes at once: both return the same keys.
    """
    draft = _write_draft(path, keys)
    try:
        os.link(draft, path)  # unlike a rename, fails if somebody was faster
    except FileExistsError:
        keys = read_keys(path) or keys
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return keys


def replace_keys(path: Path, keys: Keys) -> None:
    """Put `keys` in the place of the file's content; after a crash either is there, whole."""
    draft = _write_draft(path, keys)
    try:
        draft.replace(path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise
    _sync_folder(path.parent)


def add_named_keys(path: Path, names: Sequence[str]) -> Keys:
    """Give the file a key for each of `names` that has none yet, and return what is in it then.

    Two servers that share the file and start at once: the second waits, and finds the keys of the first.
    """
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # goes with the descriptor, also when the process dies
        keys = read_keys(path)
        if keys is None:
            raise ConfigError(f"The key file {path} has gone while it was read; put it back from a backup.")
        fresh = {name: new_key() for name in names if name not in keys.named}
        if fresh:
            keys = replace(keys, named={**keys.named, **fresh})
            replace_keys(path, keys)
        return keys
    finally:
        os.close(descriptor)


def add_sealing_key(keys: Keys) -> Keys:
    """Return `keys` with one more sealing key, which seals from now on."""
    key_id = max(keys.sealing, default=0) + 1
    if key_id > _KEY_IDS_MAX:
        raise ConfigError(
            f"The key file holds {len(keys.sealing)} sealing keys already, which is all it can."
        )
    return replace(keys, sealing={**keys.sealing, key_id: new_key()})


def _read_key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has another length than 256 bits")
    return key


def _write_draft(path: Path, keys: Keys) -> Path:
    content = {
        "format": FORMAT,
        "sealing": {str(key_id): base64.b64encode(key).decode() for key_id, key in keys.sealing.items()},
        "named": {name: base64.b64encode(key).decode() for name, key in keys.named.items()},
    }
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
