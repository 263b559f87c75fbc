"""Configuration of clients: which server, which key, how patient.

    settings.py   the table of settings, and which value wins     address.py   what a server's address may be
    profiles.py   the file with its profiles                      beside.py    the other distribution
    agreement.py  whether key and environment belong together     credentials.py   where a secret is kept
    keeping.py    what a server has accepted, into the profile

Talks to nobody. docs/configuration.md is the user's page.
"""

from omium.config.address import DEFAULT_BASE_URL, Address, parse_base_url
from omium.config.agreement import require_environment
from omium.config.beside import find_other_distribution, warn_about_other_distribution
from omium.config.credentials import (
    forget_credential,
    forget_profile,
    load_credential,
    store_credential,
)
from omium.config.keeping import keep_credential
from omium.config.profiles import (
    DEFAULT_PROFILE,
    ConfigFile,
    Profile,
    config_folder,
    read_config,
    use_profile,
    write_profile,
)
from omium.config.settings import KEY_FILE_VARIABLE, VARIABLES, Settings, load_settings

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_PROFILE",
    "KEY_FILE_VARIABLE",
    "VARIABLES",
    "Address",
    "ConfigFile",
    "Profile",
    "Settings",
    "config_folder",
    "find_other_distribution",
    "forget_credential",
    "forget_profile",
    "keep_credential",
    "load_credential",
    "load_settings",
    "parse_base_url",
    "read_config",
    "require_environment",
    "store_credential",
    "use_profile",
    "warn_about_other_distribution",
    "write_profile",
]
