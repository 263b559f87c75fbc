"""Agreement: whether the key is for the environment that was asked for, before anything is done with it.

A key says in clear text which environment it is for, so no server is asked. `omium doctor` compares with
what the server says.
"""

from __future__ import annotations

from omium.apikeys import split_api_key
from omium.config.settings import Settings
from omium.errors import ConfigError


def require_environment(settings: Settings) -> None:
    """Raise `ConfigError` if the key of `settings` is for another environment than the one asked for.

    A profile's environment belongs to the profile's own key: it says nothing of a key from elsewhere.
    """
    asked, key = settings.environment, settings.api_key
    if asked is None or not key:
        return
    asked_by, key_from = settings.sources.get("environment", ""), settings.sources.get("api_key", "")
    if asked_by.startswith("profile") and asked_by != key_from:
        return
    parts = split_api_key(key)
    if parts is None or parts.environment == asked.value:
        return
    raise ConfigError(
        f"The environment {asked.value} is asked for (by {asked_by or 'the settings'}), and the API key "
        f"(from {key_from or 'the settings'}) is for {parts.environment}. Use a key of {asked.value}: "
        f"OMIUM_API_KEY, or another profile with OMIUM_PROFILE; or ask for {parts.environment}."
    )
