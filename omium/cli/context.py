"""What a command begins with: its output and its client, made from the common flags.

Owns the decorators that give a command those flags: `@for_server` for one that asks the server,
`@for_this_machine` for one that does not. The command itself takes a `Common` instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from omium.cli.options import AsJson, BaseUrl, NoColor, ProfileName, Quiet
from omium.cli.output import Output
from omium.errors import ConfigError

if TYPE_CHECKING:
    from typing import Concatenate, ParamSpec

    from omium.sdk.sync_client import Client

    Own = ParamSpec("Own")

TIMEOUT_S: Final = 30.0
LONG_S: Final = 3_600.0  # for what takes longer the more is stored: a check of everything, a backup


@dataclass(frozen=True, slots=True)
class Common:
    """The common flags of one command."""

    output: Output
    base_url: str | None = None
    profile: str | None = None

    def client(self, *, timeout_s: float = TIMEOUT_S) -> Client:
        """Return a client of the chosen server; use it as a context manager. Raises `ConfigError`."""
        from omium.sdk.sync_client import Client  # pydantic and httpx: only commands that ask the server pay

        client = Client(self.base_url, profile=self.profile, timeout_s=timeout_s)
        if not client.settings.api_key:
            client.close()
            raise ConfigError(
                f"There is no API key for {client.settings.base_url}. Run `omium init` (or, as a person,"
                " `omium login`), or set OMIUM_API_KEY."
            )
        return client

    def use_here(self) -> None:
        """Let the user's code that runs in this process use the same server."""
        import omium

        omium.init(base_url=self.base_url, profile=self.profile)


def _flag(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_SERVER: Final = (_flag("base_url", BaseUrl, None), _flag("profile", ProfileName, None))
_OUTPUT: Final = (
    _flag("as_json", AsJson, default=False),
    _flag("quiet", Quiet, default=False),
    _flag("no_color", NoColor, default=False),
)


def for_server(command: Callable[Concatenate[Common, Own], None]) -> Callable[..., None]:
    """Give `command`, whose first argument is its `Common`, every common flag instead of that."""
    return _with_flags(command, (*_SERVER, *_OUTPUT))


def for_this_machine(command: Callable[Concatenate[Common, Own], None]) -> Callable[..., None]:
    """Give `command`, whose first argument is its `Common`, the flags of a command that asks no server."""
    return _with_flags(command, _OUTPUT)


def _with_flags(command: Callable[..., None], flags: tuple[inspect.Parameter, ...]) -> Callable[..., None]:
    names = [flag.name for flag in flags]

    @wraps(command)
    def typed(**given: Any) -> None:
        command(_make_common(**{name: given.pop(name) for name in names}), **given)

    signature = inspect.signature(command, eval_str=True)
    _, *parameters = (
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()
    )
    parameters += flags
    typed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    typed.__annotations__ = {each.name: each.annotation for each in parameters}
    return typed


def _make_common(
    *,
    base_url: str | None = None,
    profile: str | None = None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> Common:
    return Common(Output(as_json=as_json, quiet=quiet, no_color=no_color), base_url, profile)
