"""Credentials: where a profile's secret is kept, be it an API key or a person's session.

In the keyring of the operating system where the package `keyring` is installed and has a real backend, else
in the configuration file itself, which only its owner may read. One place for all commands: `omium init` and
`omium login` store here, `load_settings` reads here. An entry in the keyring is named after folder, profile
and server, so a secret never reaches a profile that was pointed to another server.

`PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring` is the keyring package's own way to turn it off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from omium.config.profiles import Profile, check_profile_name, read_config, remove_profile, write_profile
from omium.errors import ConfigError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE: Final = "omium-os"
IN_KEYRING: Final = "keyring"
_REAL: Final = 1.0  # what the package itself recommends; below are its stand-ins and plain files
_SECRET: Final = frozenset({"api_key", "credential"})


def store_credential(
    profile: str, secret: str, values: Profile, *, folder: Path, activate: bool = True
) -> str:
    """Put `values`, with `secret`, in the place of a profile, and return where the secret is, in words.

    Dies before the profile is written: the keyring may hold an entry that no profile names; a repeat writes
    over it. What the profile had kept for another server is forgotten. Raises `ConfigError`.
    """
    check_profile_name(profile)
    before = read_config(folder).profiles.get(profile, {})
    kept = {name: value for name, value in values.items() if name not in _SECRET}
    entry = _entry(folder, profile, kept)
    backend = _find_backend()
    in_keyring = backend is not None and _set(backend, entry, secret)
    secret_part = {"credential": IN_KEYRING} if in_keyring else {"api_key": secret}
    path = write_profile(folder, profile, {**kept, **secret_part}, activate=activate)
    if not in_keyring or _entry(folder, profile, before) != entry:
        _forget(folder, profile, before)
    return "the keyring of this system" if in_keyring else str(path)


def load_credential(profile: str, stored: Mapping[str, object], *, folder: Path) -> str | None:
    """Return the secret of a profile that was read as `stored`, None where it has none.

    Raises `ConfigError` where it should be in the keyring and isn't.
    """
    if "credential" not in stored:
        key = stored.get("api_key")
        return None if key is None else str(key)
    if stored["credential"] != IN_KEYRING:
        raise ConfigError(
            f"Profile {profile}: credential is {stored['credential']!r}; it is `{IN_KEYRING}`, or left out."
        )
    backend = _find_backend()
    secret = None if backend is None else _get(backend, _entry(folder, profile, stored))
    if secret is None:
        why = "no keyring can be used here" if backend is None else "there is no such entry, or it is locked"
        raise ConfigError(
            f"The key of profile {profile} is in the keyring of this system, but {why}. Unlock it, install"
            " `omium-os[keyring]`, set OMIUM_API_KEY, or store the key again with `omium init`."
        )
    return secret


def forget_credential(profile: str, *, folder: Path) -> bool:
    """Forget the secret of a profile, and only that; False where it had none.

    The profile is written first: whoever dies in between has a profile without a secret, and the keyring an
    entry that nothing names.
    """
    stored = read_config(folder).profiles.get(profile, {})
    if not _SECRET & stored.keys():
        return False
    kept = {name: value for name, value in stored.items() if name not in {*_SECRET, "api_key_id"}}
    write_profile(folder, profile, kept, activate=False)
    _forget(folder, profile, stored)
    return True


def forget_profile(profile: str, *, folder: Path) -> bool:
    """Remove a profile and its secret; False where there is no such profile."""
    stored = read_config(folder).profiles.get(profile)
    if stored is None or not remove_profile(folder, profile):
        return False
    _forget(folder, profile, stored)
    return True


def _entry(folder: Path, profile: str, stored: Mapping[str, object]) -> str:
    return f"{profile} at {stored.get('base_url', 'the default address')} in {folder}"


def _find_backend() -> KeyringBackend | None:
    """Return a keyring that belongs to the operating system, or None: not a file, not a stand-in."""
    try:
        import keyring  # noqa: PLC0415  # optional, and slow to load

        chosen = keyring.get_keyring()
    except Exception:  # a boundary: whatever a desktop's keyring fails with, the file is there
        return None
    inside = getattr(chosen, "backends", None)  # several at once: the package's chainer
    for backend in [chosen] if inside is None else list(inside):
        try:
            if backend.priority >= _REAL:
                return backend
        except Exception:  # noqa: S112  # a backend that cannot be used here says so by raising
            continue
    return None


def _set(backend: KeyringBackend, entry: str, secret: str) -> bool:
    """Say whether the keyring has taken the secret, and gives it back."""
    try:
        backend.set_password(SERVICE, entry, secret)
        return backend.get_password(SERVICE, entry) == secret
    except Exception:  # a boundary: locked, refused by a person, no session bus: the file is there
        return False


def _get(backend: KeyringBackend, entry: str) -> str | None:
    try:
        return backend.get_password(SERVICE, entry)
    except Exception:  # a boundary, as above: the caller says what to do
        return None


def _forget(folder: Path, profile: str, stored: Mapping[str, object]) -> None:
    """Take what a profile had in the keyring out of it."""
    backend = _find_backend() if stored.get("credential") == IN_KEYRING else None
    if backend is None:
        return
    with contextlib.suppress(Exception):  # a boundary, as above: an entry that nothing names does no harm
        backend.delete_password(SERVICE, _entry(folder, profile, stored))
