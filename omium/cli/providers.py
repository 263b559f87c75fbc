"""`omium providers list|test`: the models' servers that this machine's server may call for workflows.

Reads `providers.toml` in the server's data folder, as the server does, whether it runs or not: it's for the
operator. What stands in it is docs/providers.md's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_this_machine
from omium.cli.ending import WrongUse
from omium.cli.folder import Data, settings_of
from omium.cli.table import Column
from omium.errors import OmiumError

if TYPE_CHECKING:
    from pathlib import Path

    from omium.server.builtin.providers import Provider

app = typer.Typer(
    help="List the models' servers that workflows may use, test one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
@for_this_machine
def list_providers(common: Common, data: Data = None) -> None:
    """List the providers in the server's providers.toml. Keys are not shown, to anybody.

    \b
    omium providers list
    omium providers list --data ./omium --json
    """
    path, providers = _read(data)
    if common.output.as_json:
        common.output.json([_facts(each) for each in providers])
        return
    common.output.table(
        [
            Column("NAME", lambda p: p.name),
            Column("BASE URL", lambda p: p.base_url, give="cut", width_min=20),
            Column("MODELS", lambda p: ", ".join(p.models) or "any", give="cut", width_min=12),
            Column("KEY", lambda p: "yes" if p.key else "none"),
        ],
        providers,
        empty=f"No providers. Describe one in {path} (docs/providers.md).",
    )


@app.command("test")
@for_this_machine
def ask_provider(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in providers.toml.")],
    model: Annotated[str, typer.Option("--model", help="Which model. [default: the provider's first]")] = "",
    data: Data = None,
) -> None:
    """Ask a provider one short question, as a workflow would.

    \b
    omium providers test local
    omium providers test cloud --model small-1
    """
    from omium.server.builtin.trying import try_provider

    path, providers = _read(data)
    if name not in {each.name for each in providers}:
        known = ", ".join(each.name for each in providers) or "none"
        raise WrongUse(f"There is no provider {name!r} in {path}; there are: {known}.")
    tried = try_provider(path, name, model, settings_of(data, None).outbound_ca_file)
    if tried.problem:
        raise OmiumError(tried.problem)
    facts = {
        "provider": name,
        "model": tried.model,
        "said": tried.said,
        "input_tokens": tried.input_tokens,
        "output_tokens": tried.output_tokens,
    }
    if common.output.as_json:
        common.output.json(facts)
    else:
        common.output.facts([(key.replace("_", " "), str(value)) for key, value in facts.items()])


def _read(data: Path | None) -> tuple[Path, list[Provider]]:
    from omium.server.builtin.providers import FILE_NAME, Providers

    path = settings_of(data, None).data / FILE_NAME
    providers = Providers(path)
    providers.load()
    return path, providers.list_all()


def _facts(provider: Provider) -> dict[str, object]:
    return {
        "name": provider.name,
        "base_url": provider.base_url,
        "models": list(provider.models),
        "has_key": bool(provider.key),
        "timeout_s": provider.timeout_s,
        "max_tokens": provider.max_tokens,
    }
