"""What a command begins with: its output and its client, made from the common flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omium.cli.output import Output
from omium.errors import ConfigError

if TYPE_CHECKING:
    from omium.sdk.sync_client import Client


@dataclass(frozen=True, slots=True)
class Common:
    """The common flags of one command."""

    output: Output
    base_url: str | None
    profile: str | None

    def client(self) -> Client:
        """Return a client of the chosen server; use it as a context manager. Raises `ConfigError`."""
        from omium.sdk.sync_client import Client  # pydantic and httpx: only commands that ask the server pay

        client = Client(self.base_url, profile=self.profile)
        if not client.settings.api_key:
            client.close()
            raise ConfigError(
                f"There is no API key for {client.settings.base_url}. Run `omium init`, or set OMIUM_API_KEY."
            )
        return client

    def use_here(self) -> None:
        """Let the user's code that runs in this process use the same server."""
        import omium

        omium.init(base_url=self.base_url, profile=self.profile)


def make_common(
    base_url: str | None, profile: str | None, *, as_json: bool, quiet: bool = False, no_color: bool = False
) -> Common:
    """Return the common part of a command's flags."""
    return Common(Output(as_json=as_json, quiet=quiet, no_color=no_color), base_url, profile)
